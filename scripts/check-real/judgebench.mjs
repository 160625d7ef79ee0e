// 350 pairs with objective labels.
import { join } from "node:path";
import { judgeBench } from "../../dist/eval/benchmarks/judgebench.js";
import { countSubsets, loadAll } from "./load.mjs";

export const name = "judgebench";

const categories = { Knowledge: 154, Reasoning: 98, Math: 56, Coding: 42 };

export async function check(folder, compare) {
  const items = await loadAll(judgeBench, join(folder, "data_gpt-4o-2024-05-13.jsonl"));
  compare("pairs", items.length, 350);
  compare("distinct ids", new Set(items.map(({ id }) => id)).size, 350);
  const counts = countSubsets(items);
  for (const [category, count] of Object.entries(categories)) compare(category, counts[category], count);
}
