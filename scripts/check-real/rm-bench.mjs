// 129 chat questions, each with 3 x 3 pairs of styles.
import { join } from "node:path";
import { rmBench } from "../../dist/eval/benchmarks/rmbench.js";
import { loadAll } from "./load.mjs";

export const name = "rm-bench";

export async function check(folder, compare) {
  const items = await loadAll(rmBench, join(folder, "chat_filtered.json.gz"));
  compare("pairs", items.length, 129 * 9);
  compare("distinct ids", new Set(items.map(({ id }) => id)).size, 129 * 9);
  // A judge that likes the more elaborate style must be right in every easy pair and wrong in every hard one.
  const aggregator = rmBench.aggregator();
  for (const { id, subset } of items) {
    const [, chosen, rejected] = /c(\d)r(\d)$/.exec(id).map(Number);
    aggregator.add({ id, subset, credit: chosen === rejected ? 0.5 : chosen > rejected ? 1 : 0 });
  }
  const scores = Object.fromEntries(aggregator.scores().map(({ name: score, value }) => [score, value]));
  for (const [score, value] of Object.entries({ easy: 1, normal: 0.5, hard: 0, "RM-Bench": 0.5 }))
    compare(`a judge of style: ${score}`, scores[score], value, 1e-12);
}
