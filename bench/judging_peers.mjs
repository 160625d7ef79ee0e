// One query, k samples, two orderings: spct beside the other ways to have the same judgements.
import { ratioOf, spreadOf } from "../dist/bench/spread.js";
import { inRounds } from "./rounds.mjs";
import { pure, roundUp, topK40 } from "./setting.mjs";

export async function judgingCases(setting, workload, limits) {
  const { k, maxTokens } = workload;
  const longest =
    Math.max(...(await setting.work(workload, 0, pure)).prompts.map((prompt) => prompt.length)) + 64;
  const spct = await setting.spct({ contextTokens: roundUp(workload.orderings * longest + k * maxTokens) });
  const server = await setting.server({ contextTokens: roundUp(k * (longest + maxTokens)), parallel: k });
  const node = await setting.nodeLlama({ promptTokens: longest, maxTokens });
  const seconds = await inRounds(
    {
      "spct topk40": async (seed) => spct.judge(await setting.work(workload, seed, topK40)),
      "n_cmpl topk40": async (seed) =>
        server.judge({ ...(await setting.work(workload, seed, topK40)), form: "n_cmpl" }),
      "spct pure": async (seed) => spct.judge(await setting.work(workload, seed, pure)),
      "n_cmpl pure": async (seed) =>
        server.judge({ ...(await setting.work(workload, seed, pure)), form: "n_cmpl" }),
      requests: async (seed) =>
        server.judge({ ...(await setting.work(workload, seed, topK40)), form: "requests" }),
      node: async (seed) => node.judge(await setting.work(workload, seed, topK40)),
    },
    { ...limits, tokens: k * maxTokens },
  );
  setting.stop();
  const name = (sampling) => `k${k}-two-orderings-${setting.type}-${sampling}`;
  const one = (sampling, peer, theirs, ours) => ({
    name: name(sampling),
    shape: setting.shape,
    peer,
    ...compared(seconds[theirs], seconds[ours]),
  });
  return [
    one("topk40", "llama-server n_cmpl", "n_cmpl topk40", "spct topk40"),
    one("pure", "llama-server n_cmpl", "n_cmpl pure", "spct pure"),
    one("topk40", `llama-server, ${k} requests`, "requests", "spct topk40"),
    one("topk40", "node-llama-cpp", "node", "spct topk40"),
  ];
}

/** Ratio by rounds, and the seconds of both. */
export function compared(theirs, ours) {
  const { median: ratio, spread, n } = ratioOf(theirs, ours);
  return { ratio, n, spread, seconds: { spct: spreadOf(ours), peer: spreadOf(theirs) } };
}
