// Runs a judge into a folder: node evaluate.mjs <data> <folder> [model.gguf], without a model a scripted one.
import { custom } from "../../../dist/eval/benchmarks/custom.js";
import { GrmJudge } from "../../../dist/eval/judges/grm.js";
import { run } from "../../../dist/eval/run.js";

const scripted = {
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
const [data, folder, model] = process.argv.slice(2);
const judge =
  model === undefined
    ? scripted
    : await GrmJudge.load(
        { model, template: "compact", contextTokens: 4096 },
        { k: 4, seed: 7, maxTokens: 12, reference: false },
      );
await run(custom, data, judge, folder);
await judge.close();
