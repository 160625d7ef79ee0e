// Runs a scripted judge into a folder: node evaluate.mjs <data> <folder>
import { custom } from "../../../dist/eval/benchmarks/custom.js";
import { run } from "../../../dist/eval/run.js";

const judge = {
  name: "scripted",
  identity: { kind: "scripted" },
  details: {},
  k: 2,
  concurrency: 4,
  async judge(item) {
    const number = Number(item.id.replace(/\D/g, ""));
    await new Promise((resolve) => setTimeout(resolve, (number * 7919) % 5));
    return [0, 1].map((seed) => ({
      order: seed === 0 ? [0, 1] : [1, 0],
      scores: [1 + ((number + seed) % 10), 1 + ((number * 3) % 10)],
      meta: number / 7,
      text: `judgement ${seed} of ${item.id} `.repeat(200),
      seed,
    }));
  },
  async close() {},
};
const [data, folder] = process.argv.slice(2);
await run(custom, data, judge, folder);
