// Measures the shipped judge again on held-out items: npm run reproduce -- [--quick] [--json] [--items <n>] [--first <n>]
// `spct eval custom` on the rows of held-out-rows.mjs, with as many samples, has the same figures.
import { parseArgs } from "node:util";
import { Grm } from "../dist/index.js";
import { heldOutItems } from "../dist/train/held_out.js";
import { measureJudge } from "../dist/train/measure.js";

const { values } = parseArgs({
  options: {
    model: { type: "string", default: "default" },
    quick: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    items: { type: "string" },
    first: { type: "string", default: "0" }, // which held-out items: others than the model card's with 10000, say
    seed: { type: "string", default: "0" },
  },
});
const count = Number(values.items ?? (values.quick ? 300 : 1000));
if (!Number.isInteger(count) || count < 1) {
  console.error(`Expected a positive integer for --items but received ${values.items}`);
  process.exit(2);
}

const grm = await Grm.load({ model: values.model });
const figures = await measureJudge(grm, heldOutItems(count, [0, 1, 0, 0], Number(values.first)), {
  ks: values.quick ? [1, 8] : [1, 8, 32],
  seed: Number(values.seed),
  onProgress: (done, total) => {
    if (done % 100 === 0) console.error(`${done}/${total}`);
  },
});
await grm.close();

if (values.json) {
  console.log(JSON.stringify(figures));
} else {
  const line = (name, { accuracy, ci }) =>
    `${name.padEnd(16)} ${accuracy.toFixed(3)}  [${ci[0].toFixed(3)}, ${ci[1].toFixed(3)}]`;
  console.log(`${figures.items} held-out pairs, ties worth one half, 95 % intervals`);
  console.log(line("greedy", figures.greedy));
  for (const [k, accuracy] of Object.entries(figures.voting)) console.log(line(`voting @${k}`, accuracy));
  for (const [k, accuracy] of Object.entries(figures.meta)) {
    if (k !== "1") console.log(line(`meta RM @${k}`, accuracy));
  }
  console.log(`unreadable samples ${(100 * figures.invalid).toFixed(2)} %, ${figures.seconds.toFixed(0)} s`);
}
