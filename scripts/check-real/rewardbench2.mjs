// The voting curve of a recorded judge: k = 8 samples of four responses each, response 0 is correct.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync, gzipSync } from "node:zlib";
import { Summarizer } from "../../dist/vote/summary.js";
import { tally, winners } from "../../dist/vote/tally.js";

export const name = "rewardbench2_k8_scores";

const spct = fileURLToPath(new URL("../../bin/spct.js", import.meta.url));
const hundredthOfAPoint = 1e-4; // accuracies are in [0, 1]

/** Row of the data set → judgement: the s-th sample of each response makes up sample s. */
function toJudgement({ id, subset, k, full_scores: byResponse }) {
  const samples = Array.from({ length: k }, (_, sample) => ({
    scores: byResponse.map((scores) => scores[sample]),
    meta: null,
  }));
  return { id, subset, n: byResponse.length, label: 0, samples };
}

function summarize(items, options) {
  const summarizer = new Summarizer(options);
  for (const item of items) summarizer.add(item);
  return summarizer.summary();
}

export async function check(folder, compare) {
  const expected = JSON.parse(readFileSync(join(folder, "expected.json"), "utf8"));
  const scratch = mkdtempSync(join(tmpdir(), "spct-check-"));
  try {
    for (const [key, curve] of Object.entries(expected)) {
      const rows = gunzipSync(readFileSync(join(folder, `${key.split("|")[0]}.jsonl.gz`)));
      const items = rows
        .toString("utf8")
        .trim()
        .split("\n")
        .map((row) => toJudgement(JSON.parse(row)));
      const file = join(scratch, "judgements.jsonl.gz");
      writeFileSync(file, gzipSync(items.map((item) => JSON.stringify(item)).join("\n")));
      for (const [k, figures] of Object.entries(curve)) {
        compareCurve(compare, `${key} k=${k}`, items, Number(k), figures);
      }
      compareCommand(compare, key, file, curve);
    }
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

function compareCurve(compare, what, items, k, figures) {
  const strict = summarize(items, { k, ties: "lose", aggregate: "mean" });
  compare(`${what} items voted on`, strict.items - strict.skipped, figures.n);
  compare(`${what} skipped`, strict.skipped, figures.skipped_no_score);
  compare(`${what} ties`, strict.ties, figures.tied_at_top);
  compare(`${what} unique maxima`, Math.round(strict.accuracy * strict.labelled), figures.correct_unique_max);
  compare(
    `${what} first of the tied`,
    firstIndexAccuracy(items, k),
    figures.acc_first_index,
    hundredthOfAPoint,
  );
  compare(`${what} strict`, strict.accuracy, figures.acc_strict, hundredthOfAPoint);
  compare(`${what} AUC`, strict.auc, figures.pooled_roc_auc_mean_score, hundredthOfAPoint);
  const shared = summarize(items, { k, ties: "share", aggregate: "mean" });
  compare(`${what} ties shared`, shared.accuracy, figures.acc_tie_shared, hundredthOfAPoint);
  const summed = summarize(items, { k, ties: "lose", aggregate: "sum" });
  compare(
    `${what} summed`,
    summed.accuracy,
    figures.acc_strict_if_summed_without_missing_fill,
    hundredthOfAPoint,
  );
}

/** Accuracy if the first of several tied responses were chosen, which is the right one here. */
function firstIndexAccuracy(items, k) {
  const votes = items.map(({ samples, n }) => tally(samples.slice(0, k), n, { aggregate: "mean" }).scores);
  const decided = votes.filter((scores) => scores !== null);
  return decided.filter((scores) => winners(scores)[0] === 0).length / decided.length;
}

/** The same through the command line, at both ends of the curve. */
function compareCommand(compare, key, file, curve) {
  for (const k of ["1", "8"]) {
    for (const [ties, accuracy] of [
      ["lose", curve[k].acc_strict],
      ["share", curve[k].acc_tie_shared],
    ]) {
      const command = ["vote", file, "-k", k, "--ties", ties, "--aggregate", "mean", "--json"];
      const printed = JSON.parse(execFileSync(process.execPath, [spct, ...command], { encoding: "utf8" }));
      compare(`${key} spct vote -k ${k} --ties ${ties}`, printed.accuracy, accuracy, hundredthOfAPoint);
    }
  }
}
