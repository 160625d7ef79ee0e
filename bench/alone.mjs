// What only spct is measured at: shared prompts of lists, and a neighbour that takes a core.
import { spawn } from "node:child_process";
import { spreadOf } from "../dist/bench/spread.js";
import { inRounds } from "./rounds.mjs";
import { pure, roundUp } from "./setting.mjs";

/** Prompt tokens that go through the model, beside a prompt for every sample. */
export async function listCase(setting, workload) {
  const { orderings, k, maxTokens } = workload;
  const work = await setting.work(workload, 1, pure);
  const longest = Math.max(...work.prompts.map((prompt) => prompt.length));
  const spct = await setting.spct({ contextTokens: roundUp(orderings * longest + k * maxTokens) });
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

export async function busyCoreCases(setting, workload, limits) {
  const { orderings, k, maxTokens } = workload;
  const work = (seed) => setting.work(workload, seed, pure);
  const longest = Math.max(...(await work(0)).prompts.map((prompt) => prompt.length)) + 64;
  const spct = await setting.spct({ contextTokens: roundUp(orderings * longest + k * maxTokens) });
  const seconds = await inRounds(
    {
      alone: async (seed) => spct.judge(await work(seed)),
      beside: async (seed) => {
        const neighbour = spawn(process.execPath, ["-e", "for (;;);"]);
        try {
          return await spct.judge(await work(seed));
        } finally {
          neighbour.kill("SIGKILL");
        }
      },
    },
    { ...limits, tokens: k * maxTokens },
  );
  setting.stop();
  const slowdown = spreadOf(seconds.beside.map((time, round) => time / seconds.alone[round]));
  const busy = {
    name: `one-core-busy-k${k}-${setting.type}`,
    shape: setting.shape,
    peer: "the machine to itself",
    unit: "slowdown",
    ratio: slowdown.median,
    n: slowdown.n,
    spread: slowdown.spread,
    seconds: { alone: spreadOf(seconds.alone), beside: spreadOf(seconds.beside) },
  };
  return [busy];
}
