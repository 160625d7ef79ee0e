// What only spct is measured at: shared prompts of lists, and a neighbour that takes a core.
import { spawn } from "node:child_process";
import { ratioOf, spreadOf } from "../dist/bench/spread.js";
import { inRounds } from "./rounds.mjs";
import { pure, roundUp } from "./setting.mjs";

/** Prompt tokens that go through the model, beside a prompt for every sample. */
export async function listCase(setting, workload) {
  const { orderings, k, maxTokens } = workload;
  const work = await setting.work(workload, 1, pure);
  const longest = Math.max(...work.prompts.map((prompt) => prompt.length));
  const spct = await setting.spct({
    contextTokens: roundUp(orderings * longest + k * maxTokens),
    packedWeights: "off",
  });
  const { promptTokens, promptTokensComputed, seconds } = await spct.judge(work);
  setting.stop();
  const ratio = promptTokens / promptTokensComputed;
  return {
    name: `prefill-n${workload.responses}-k${k}-${workload.responseWords}-word-responses`,
    shape: setting.shape,
    peer: "a whole prompt for every sample",
    unit: "prompt tokens",
    ratio,
    n: 1,
    spread: [ratio, ratio],
    promptTokens,
    promptTokensComputed,
    seconds,
  };
}

/** How OpenMP's threads wait for each other. spct sees to it that they spin shortly. */
const waiting = {
  "spinning-shortly": {},
  sleeping: { GOMP_SPINCOUNT: "100" },
  spinning: { OMP_WAIT_POLICY: "active" },
};
export const waitingPolicies = Object.keys(waiting);

/** Judging beside a process that wants a core, over judging alone; and alone, each policy over the usual one. */
export async function busyCoreCases(setting, workload, limits, policies) {
  const { orderings, k, maxTokens } = workload;
  const work = (seed) => setting.work(workload, seed, pure);
  const longest = Math.max(...(await work(0)).prompts.map((prompt) => prompt.length)) + 64;
  const contextTokens = roundUp(orderings * longest + k * maxTokens);
  const contenders = {};
  for (const policy of policies) {
    const spct = await setting.spct({ contextTokens, packedWeights: "off" }, waiting[policy]);
    spct.pause();
    const alone = async (seed) => {
      const asked = await work(seed);
      spct.resume();
      try {
        return await spct.judge(asked);
      } finally {
        spct.pause();
      }
    };
    contenders[`${policy} alone`] = alone;
    contenders[`${policy} beside`] = async (seed) => {
      const neighbour = spawn(process.execPath, ["-e", "for (;;);"]);
      try {
        return await alone(seed);
      } finally {
        neighbour.kill("SIGKILL");
      }
    };
  }
  const seconds = await inRounds(contenders, { ...limits, tokens: k * maxTokens });
  setting.stop();

  const figure = (name, peer, unit, over, under) => {
    const { median: ratio, spread, n } = ratioOf(seconds[over], seconds[under]);
    const times = { over: spreadOf(seconds[over]), under: spreadOf(seconds[under]) };
    return { name, shape: setting.shape, peer, unit, ratio, n, spread, seconds: times };
  };
  const [usual] = waitingPolicies;
  return policies.flatMap((policy) => {
    const busy = `one-core-busy-k${k}-${setting.type}${policy === usual ? "" : `-${policy}`}`;
    const slowdown = figure(busy, "the machine to itself", "slowdown", `${policy} beside`, `${policy} alone`);
    if (policy === usual) return [slowdown];
    const own = `waiting-${policy}-k${k}-${setting.type}`;
    return [slowdown, figure(own, "threads that spin shortly", "time", `${policy} alone`, `${usual} alone`)];
  });
}
