// 80 pairs in 6 kinds of bias.
import { join } from "node:path";
import { evalBias } from "../../dist/eval/benchmarks/evalbias.js";
import { countSubsets, loadAll } from "./load.mjs";

export const name = "evalbiasbench";

export async function check(folder, compare) {
  const items = await loadAll(evalBias, join(folder, "biasbench.json"));
  compare("pairs", items.length, 80);
  compare("kinds of bias", Object.keys(countSubsets(items)).length, 6);
}
