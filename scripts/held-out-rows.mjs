// Prints held-out items of the default judge as rows for `spct eval custom`: node scripts/held-out-rows.mjs [count]
// Run after the TypeScript is compiled.
import { heldOutItems } from "../dist/train/held_out.js";

const count = Number(process.argv[2] ?? 1000);
if (!Number.isInteger(count) || count < 1) {
  console.error(`Expected a count of at least 1 but received ${process.argv[2]}`);
  process.exit(2);
}
for (const { id, query, responses, label, subset } of heldOutItems(count))
  console.log(JSON.stringify({ id, query, responses, label, subset }));
