// Measures the shipped judge again on held-out items: npm run reproduce -- [--quick] [--json] [--items <n>] [--first <n>]
// `spct eval custom` on the rows of held-out-rows.mjs, with as many samples, has the same figures.
import { fileURLToPath } from "node:url";
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
const items = heldOutItems(count, [0, 1, 0, 0], Number(values.first));
const figures = await measureJudge(grm, items, {
  ks: [1, 8, 32],
  seed: Number(values.seed),
  onProgress: (done, total) => {
    if (done % 100 === 0) console.error(`${done}/${total}`);
  },
});
await grm.close();
const rft = await measureRft();

if (values.json) {
  console.log(JSON.stringify({ ...figures, ...(rft && { rft: { greedy: rft } }) }));
} else {
  const line = (name, { accuracy, ci }) =>
    `${name.padEnd(18)} ${accuracy.toFixed(3)}  [${ci[0].toFixed(3)}, ${ci[1].toFixed(3)}]`;
  console.log(`${figures.items} held-out pairs, ties worth one half, 95 % intervals`);
  if (rft) console.log(line("before RL, greedy", rft));
  console.log(line("greedy", figures.greedy));
  for (const [k, accuracy] of Object.entries(figures.voting)) console.log(line(`voting @${k}`, accuracy));
  for (const [k, accuracy] of Object.entries(figures.meta)) {
    if (k !== "1") console.log(line(`meta RM @${k}`, accuracy));
  }
  console.log(`unreadable samples ${(100 * figures.invalid).toFixed(2)} %, ${figures.seconds.toFixed(0)} s`);
}

/** The shipped judge before reinforcement, greedily on the same items; nothing for another model. */
async function measureRft() {
  if (values.model !== "default") return undefined;
  const model = fileURLToPath(new URL("../models/default-rft.gguf", import.meta.url));
  const judge = await Grm.load({ model, meta: null, template: "compact" });
  const { greedy } = await measureJudge(judge, items, { ks: [], seed: Number(values.seed) });
  await judge.close();
  return greedy;
}
