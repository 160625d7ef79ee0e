// What only spct is measured at: shared prompts of lists, a neighbour that takes a core, and what judging costs besides the model.
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

export async function busyCoreCase(setting, workload, limits) {
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
  return {
    name: `one-core-busy-k${k}-${setting.type}`,
    shape: setting.shape,
    peer: "the machine to itself",
    unit: "slowdown",
    ratio: slowdown.median,
    n: slowdown.n,
    spread: slowdown.spread,
    seconds: { alone: spreadOf(seconds.alone), beside: spreadOf(seconds.beside) },
  };
}

/** Everything of judge() but the model: prompts, tokens, extraction, vote; and how long the event loop kept others waiting. */
export async function overheadCases(setting, workload, rounds) {
  const { orderings, k, maxTokens } = workload;
  const work = (seed) => setting.work(workload, seed, pure);
  const longest = Math.max(...(await work(0)).prompts.map((prompt) => prompt.length)) + 64;
  const spct = await setting.spct({ contextTokens: roundUp(orderings * longest + k * maxTokens) });
  const overhead = [];
  const delay = [];
  for (let round = -2; round < rounds; round++) {
    const measured = await spct.judge(await work(round + 2));
    if (round < 0) continue;
    overhead.push(measured.overheadMilliseconds);
    delay.push(measured.eventLoopDelayMilliseconds);
  }
  setting.stop();
  const figure = (name, values) => {
    const { median, spread, n } = spreadOf(values);
    return { name, shape: setting.shape, peer: "nothing", unit: "ms", ratio: median, n, spread };
  };
  return [figure(`judge-overhead-k${k}`, overhead), figure(`event-loop-delay-p99-k${k}`, delay)];
}
