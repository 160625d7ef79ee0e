// Published accuracy and positional agreement of recorded judges. Ratings are read from the raw texts again; of the other
// strategies the stored verdicts vote, one sample for each order.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { llmBar } from "../../dist/eval/benchmarks/llmbar.js";
import { evaluate } from "../../dist/eval/evaluate.js";
import { extractScores } from "../../dist/extract/scores.js";

export const name = "llmbar";

const rounding = 1e-9;
const orders = [
  ["swap = False", [0, 1]],
  ["swap = True", [1, 0]],
];

/** A rating does not depend on the order: it stands for both. One that cannot be read makes the pair a tie. */
function rated(result) {
  const ratings = ["score_1", "score_2"].map((key) => readRating(result[key][0]));
  const scores = ratings.includes(null) ? [0, 0] : ratings;
  return orders.map(([, order]) => ({ order, scores, meta: null }));
}

function readRating(text) {
  const { scores } = extractScores(`\\boxed{${text}}`, { responses: 1, minimum: 0, maximum: 10 });
  return scores === null ? null : scores[0];
}

function voted(result) {
  return orders.map(([key, order]) => {
    const { winner } = result[key];
    const scores = winner === "1" ? [1, 0] : winner === "2" ? [0, 1] : null;
    return { order, scores, meta: null };
  });
}

function toJudgement({ evaluator, idx, label, results }, set) {
  const result = results.at(-1);
  const samples = evaluator.split("/")[1].startsWith("Rating") ? rated(result) : voted(result);
  return { id: `${set}/${idx}`, n: 2, label: label - 1, samples };
}

export async function check(folder, compare) {
  const expected = JSON.parse(readFileSync(join(folder, "expected.json"), "utf8"));
  const lines = gunzipSync(readFileSync(join(folder, "judge_outputs.jsonl.gz")))
    .toString("utf8")
    .trim()
    .split("\n");
  const groups = new Map();
  for (const row of lines.map((line) => JSON.parse(line))) {
    const key = `${row.set}|${row.evaluator}`;
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  compare("recorded judges", groups.size, Object.keys(expected).length);
  const scratch = mkdtempSync(join(tmpdir(), "spct-check-"));
  const file = join(scratch, "judgements.jsonl");
  try {
    for (const [key, wanted] of Object.entries(expected)) {
      const set = key.split("|")[0];
      const name = set.replace(/^LLMBar__/, "").replaceAll("__", "/");
      const judgements = groups.get(key).map((row) => toJudgement(row, name));
      writeFileSync(file, judgements.map((one) => `${JSON.stringify(one)}\n`).join(""));
      const metrics = await evaluate(llmBar, join(folder, "sets", `${set}.json`), file);
      const score = (title) => metrics.scores.find((one) => one.name === title);
      compare(`${key} items`, metrics.items - metrics.missing, wanted.n);
      compare(`${key} accuracy`, 100 * score("average accuracy").value, wanted.correct_average_pct, rounding);
      compare(
        `${key} agreement`,
        100 * score("positional agreement").value,
        wanted.positional_agreement_pct,
        rounding,
      );
    }
  } finally {
    rmSync(scratch, { recursive: true });
  }
}
