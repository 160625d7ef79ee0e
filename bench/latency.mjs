// What one judge() costs beside the model, and how long the event loop keeps others waiting while queries are judged.
import { spreadOf } from "../dist/bench/spread.js";
import { makeQuery, turnedOrders } from "../dist/bench/workload.js";
import { pure, roundUp } from "./setting.mjs";

const loadRounds = 5;
const warmups = 20; // JavaScript is compiled, and the words of the texts are known

/** Calls one after the other on an idle engine that keeps its instructions, then batches of queries judged at the same time. */
export async function latencyCases(setting, workload, { rounds, queries }) {
  const { orderings, k, maxTokens } = workload;
  const { prompts } = await setting.work(workload, 0, pure);
  const longest = Math.max(...prompts.map((prompt) => prompt.length)) + 64;
  const perQuery = orderings * longest + k * maxTokens;
  const spct = await setting.spct({
    contextTokens: roundUp(5 * perQuery),
    prefixCacheTokens: perQuery,
    packedWeights: "off",
  });

  const calls = [];
  for (let round = 0; round < warmups + rounds; round++) {
    calls.push(await spct.judge(await setting.work(workload, round, pure)));
  }
  calls.splice(0, warmups);

  const delays = [];
  const orders = turnedOrders(workload);
  for (let round = 0; round < loadRounds; round++) {
    const many = Array.from({ length: queries }, (_, index) => makeQuery(workload, 1000 * round + index));
    const options = { queries: many, orders, k, maxTokens, sampling: pure, seed: round };
    delays.push((await spct.judgeMany(options)).eventLoopMilliseconds);
  }
  setting.stop();

  const figure = (name, peer, values) => {
    const { median, spread, n } = spreadOf(values);
    return { name, shape: setting.shape, peer, unit: "ms", ratio: median, n, spread };
  };
  const one = `one judge(), k = ${k}`;
  const before = calls.map(({ millisecondsToFirstDecode }) => millisecondsToFirstDecode);
  const after = calls.map(({ millisecondsFromLastDecode }) => millisecondsFromLastDecode);
  const load = `${queries} queries, k = ${k}`;
  return [
    figure(
      `whole-call-k${k}`,
      one,
      calls.map(({ seconds }) => 1000 * seconds),
    ),
    figure(`call-to-first-decode-k${k}`, one, before),
    figure(`last-token-to-verdict-k${k}`, one, after),
    figure(
      `beside-the-model-k${k}`,
      one,
      before.map((milliseconds, call) => milliseconds + after[call]),
    ),
    ...["median", "p99", "most"].map((name) =>
      figure(
        `event-loop-delay-${name}`,
        load,
        delays.map((delay) => delay[name]),
      ),
    ),
  ];
}
