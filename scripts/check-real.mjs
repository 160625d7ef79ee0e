// Compares spct with published or recorded figures on public data sets: npm run check:real -- [--data <folder>] [--json]
// Every data set has a folder of its name under --data, and a file in check-real/, which exports `name` and
// `check(folder, compare)`. Those whose folder is missing are skipped.
import { existsSync } from "node:fs";
import { parseArgs } from "node:util";
import { dataFolder } from "./check-real/data_folder.mjs";
import * as evalbiasbench from "./check-real/evalbiasbench.mjs";
import * as gsm8k from "./check-real/gsm8k.mjs";
import * as judgebench from "./check-real/judgebench.mjs";
import * as llmbar from "./check-real/llmbar.mjs";
import * as rewardbenchV1 from "./check-real/rewardbench_v1.mjs";
import * as rewardbench2 from "./check-real/rewardbench2.mjs";
import * as rmBench from "./check-real/rm-bench.mjs";

const dataSets = [rewardbench2, llmbar, rewardbenchV1, judgebench, rmBench, evalbiasbench, gsm8k];
const { values } = parseArgs({
  options: { data: { type: "string" }, json: { type: "boolean", default: false } },
});
const root = dataFolder(values.data);
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
console.log(
  values.json ? JSON.stringify(totals) : `${totals.checked} figures checked, ${totals.failed} differ`,
);
process.exitCode = totals.failed === 0 ? 0 : 1;
