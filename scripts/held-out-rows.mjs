// Prints held-out items of the default judge as rows for `spct eval custom`: node scripts/held-out-rows.mjs [count] [first]
// Run after the TypeScript is compiled.
import { heldOutItems } from "../dist/train/held_out.js";

const count = Number(process.argv[2] ?? 1000);
const first = Number(process.argv[3] ?? 0);
if (!Number.isInteger(count) || count < 1 || !Number.isInteger(first) || first < 0) {
  console.error(
    `Expected a count of at least 1 and a first of at least 0 but received ${process.argv.slice(2).join(" ")}`,
  );
  process.exit(2);
}
for (const { id, query, responses, label, subset } of heldOutItems(count, undefined, first))
  console.log(JSON.stringify({ id, query, responses, label, subset }));
