import { loadItems } from "../../dist/eval/benchmark.js";

/** All items of a data set; a bad row is an error. */
export async function loadAll(benchmark, path) {
  const items = [];
  for await (const item of loadItems(benchmark, path)) items.push(item);
  return items;
}

/** How many items each subset has. */
export function countSubsets(items) {
  const counts = {};
  for (const { subset } of items) counts[subset] = (counts[subset] ?? 0) + 1;
  return counts;
}
