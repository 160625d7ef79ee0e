// Early stopping on a real judge's scores: npm run check:early-stop -- [--data <folder>] [--flip-risk 0.002] [--json]
// Every item of rewardbench2_k8_scores under --data (4 responses, 8 recorded samples) is resampled to 32 joint samples, by a
// fixed seed. Prints how many of them are drawn and how often the winner is that of all 32, ties of all 32 apart. Fails where
// the full judge's votes take more than a third of the samples or less than 99.8% of their winners are the same. Skipped
// without the data.
import { existsSync, readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { gunzipSync } from "node:zlib";
import { wilson } from "../dist/eval/statistics.js";
import { Random } from "../dist/train/random.js";
import { isDecided, looksAt } from "../dist/vote/decided.js";
import { tally, winners } from "../dist/vote/tally.js";
import { dataFolder } from "./check-real/data_folder.mjs";

const k = 32;
const { values } = parseArgs({
  options: {
    data: { type: "string" },
    "flip-risk": { type: "string", default: "0.002" },
    json: { type: "boolean", default: false },
  },
});
const flipRisk = Number(values["flip-risk"]);
if (!(flipRisk > 0 && flipRisk < 1)) {
  console.error(`Expected a number above 0 and below 1 for --flip-risk but received ${values["flip-risk"]}`);
  process.exit(2);
}
const folder = `${dataFolder(values.data)}rewardbench2_k8_scores/`;
if (!existsSync(folder)) {
  const skipped = `${folder} does not exist`;
  console.log(values.json ? JSON.stringify({ skipped }) : `skipped, ${skipped}`);
  process.exit(0);
}

function itemsOf(file, judge) {
  const rows = gunzipSync(readFileSync(`${folder}${file}.jsonl.gz`))
    .toString("utf8")
    .trim()
    .split("\n");
  return rows.map((row, index) => {
    const { k: recorded, [`${judge}_scores`]: byResponse } = JSON.parse(row);
    const random = new Random(index);
    const samples = Array.from({ length: k }, () => {
      const sample = Math.floor(random.uniform() * recorded);
      const scores = byResponse.map((scores) => scores[sample]);
      return { scores: scores.includes(null) ? null : scores, meta: null };
    });
    return { samples, responses: byResponse.length };
  });
}

const topOf = (samples, responses) => {
  const { scores } = tally(samples, responses);
  return scores === null ? [] : winners(scores);
};

function measure(items) {
  let [drawn, clear, same] = [0, 0, 0];
  for (const { samples, responses } of items) {
    const looks = looksAt(k, responses);
    const risk = flipRisk / (looks.length * (responses - 1));
    const vote = { k, responses, kind: "points" };
    const end = looks.find((count) => isDecided(samples.slice(0, count), vote, risk)) ?? k;
    drawn += end;
    const whole = topOf(samples, responses);
    if (whole.length !== 1) continue;
    clear++;
    const early = topOf(samples.slice(0, end), responses);
    if (early.length === 1 && early[0] === whole[0]) same++;
  }
  const share = same / clear;
  return {
    items: items.length,
    drawn: drawn / items.length,
    clear,
    same: share,
    interval: wilson(share, clear),
  };
}

const figures = [];
for (const file of ["base_both_k8", "criteria_both_k8"]) {
  for (const judge of ["full", "mini"]) figures.push({ file, judge, ...measure(itemsOf(file, judge)) });
}
const missed = figures.filter(
  ({ judge, drawn, same }) => judge === "full" && (drawn > k / 3 || same < 0.998),
);
if (values.json) {
  console.log(JSON.stringify({ k, flipRisk, figures, missed: missed.length }));
} else {
  for (const { file, judge, items, drawn, clear, same, interval } of figures) {
    const range = interval.map((end) => (100 * end).toFixed(2)).join(" - ");
    console.log(
      `${file} ${judge}: ${drawn.toFixed(2)} of ${k} samples drawn (${items} items), same winner ${(100 * same).toFixed(2)}% (${range}) of ${clear}`,
    );
  }
}
process.exitCode = missed.length === 0 ? 0 : 1;
