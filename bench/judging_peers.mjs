// One query, k samples, two orderings: spct beside the other ways to have the same judgements.
import { ratioOf, spreadOf } from "../dist/bench/spread.js";
import { inRounds } from "./rounds.mjs";
import { pure, roundUp, topK40 } from "./setting.mjs";

export async function judgingCases(setting, workload, limits) {
  const { k, maxTokens } = workload;
  const longest =
    Math.max(...(await setting.work(workload, 0, pure)).prompts.map((prompt) => prompt.length)) + 64;
  const contextTokens = roundUp(workload.orderings * longest + k * maxTokens);
  const { packings } = setting;
  const ours = {};
  for (const { spct, packedWeights } of packings) {
    const contender = await setting.spct({ contextTokens, packedWeights });
    for (const [name, sampling] of Object.entries({ topk40: topK40, pure })) {
      ours[`${spct} ${name}`] = async (seed) => contender.judge(await setting.work(workload, seed, sampling));
    }
  }
  const server = await setting.server({ contextTokens: roundUp(k * (longest + maxTokens)), parallel: k });
  const node = await setting.nodeLlama({ promptTokens: longest, maxTokens });
  const seconds = await inRounds(
    {
      ...ours,
      "n_cmpl topk40": async (seed) =>
        server.judge({ ...(await setting.work(workload, seed, topK40)), form: "n_cmpl" }),
      "n_cmpl pure": async (seed) =>
        server.judge({ ...(await setting.work(workload, seed, pure)), form: "n_cmpl" }),
      requests: async (seed) =>
        server.judge({ ...(await setting.work(workload, seed, topK40)), form: "requests" }),
      node: async (seed) => node.judge(await setting.work(workload, seed, topK40)),
    },
    { ...limits, tokens: k * maxTokens, slow: ["requests", "node"] },
  );
  setting.stop();
  return packings.flatMap(({ spct, suffix }) => {
    const one = (sampling, peer, theirs) => ({
      name: `k${k}-two-orderings-${setting.type}-${sampling}${suffix}`,
      shape: setting.shape,
      peer,
      ...compared(seconds[theirs], seconds[`${spct} ${sampling}`]),
    });
    return [
      one("topk40", "llama-server n_cmpl", "n_cmpl topk40"),
      one("pure", "llama-server n_cmpl", "n_cmpl pure"),
      one("topk40", `llama-server, ${k} requests`, "requests"),
      one("topk40", "node-llama-cpp", "node"),
    ];
  });
}

/** Ratio by rounds, and the seconds of both. Theirs may be of the first rounds only. */
export function compared(theirs, allOfOurs) {
  const ours = allOfOurs.slice(0, theirs.length);
  const { median: ratio, spread, n } = ratioOf(theirs, ours);
  return { ratio, n, spread, seconds: { spct: spreadOf(ours), peer: spreadOf(theirs) } };
}
