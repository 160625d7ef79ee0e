// Compares spct with published or recorded figures on the data sets of ../shared/data. Each data set has its own file in
// check-real/, which exports `name` and `check(folder, compare)`. Run after the TypeScript is compiled.
//   node scripts/check-real.mjs [--json]
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import * as evalbiasbench from "./check-real/evalbiasbench.mjs";
import * as gsm8k from "./check-real/gsm8k.mjs";
import * as judgebench from "./check-real/judgebench.mjs";
import * as llmbar from "./check-real/llmbar.mjs";
import * as rewardbenchV1 from "./check-real/rewardbench_v1.mjs";
import * as rewardbench2 from "./check-real/rewardbench2.mjs";
import * as rmBench from "./check-real/rm-bench.mjs";

const dataSets = [rewardbench2, llmbar, rewardbenchV1, judgebench, rmBench, evalbiasbench, gsm8k];
const root = fileURLToPath(new URL("../../shared/data/", import.meta.url));
const json = process.argv.includes("--json");
const totals = { checked: 0, failed: 0 };

for (const { name, check } of dataSets) {
  const folder = `${root}${name}/`;
  if (!existsSync(folder)) {
    console.log(`${name}: skipped, ${folder} does not exist`);
    continue;
  }
  const before = { ...totals };
  await check(folder, (what, actual, expected, tolerance = 0) => {
    totals.checked++;
    if (Math.abs(actual - expected) <= tolerance) return;
    totals.failed++;
    console.log(`${name}: ${what}: expected ${expected} but received ${actual}`);
  });
  console.log(`${name}: ${totals.checked - before.checked} figures, ${totals.failed - before.failed} differ`);
}
console.log(json ? JSON.stringify(totals) : `${totals.checked} figures checked, ${totals.failed} differ`);
process.exitCode = totals.failed === 0 ? 0 : 1;
