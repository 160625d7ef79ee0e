// 1,319 problems with the solutions of four models.
import { join } from "node:path";
import { gsm8k } from "../../dist/eval/benchmarks/gsm8k.js";
import { loadAll } from "./load.mjs";

export const name = "gsm8k";

export async function check(folder, compare) {
  const items = await loadAll(gsm8k, join(folder, "example_model_solutions.jsonl.gz"));
  compare("problems", items.length, 1319);
  compare(
    "problems with four solutions",
    items.filter(({ responses }) => responses.length === 4).length,
    1319,
  );
  compare("problems with a reference", items.filter(({ reference }) => reference !== undefined).length, 1319);
}
