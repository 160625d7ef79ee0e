// A worker thread with a judge of its own.
import { parentPort, workerData } from "node:worker_threads";
import { Grm } from "../../../dist/index.js";

const { model, rounds, k, maxTokens } = workerData;
const grm = await Grm.load({ model, template: "compact", threads: 1 });
parentPort.postMessage({ loaded: true });
for (let seed = 0; seed < rounds; seed++) {
  const verdict = await grm.judge(
    { query: "q", responses: ["a", "b"] },
    { k, maxTokens, seed, stopAtBox: false },
  );
  parentPort.postMessage({ texts: verdict.samples.map(({ text }) => text) });
}
await grm.close();
