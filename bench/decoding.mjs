// The decoding step: spct beside llama-batched-bench, beside what the machine allows, and the share of sampling and head in it.
import { execFileSync } from "node:child_process";
import { leastSeconds, stepCost } from "../dist/bench/cost.js";
import { shapes } from "../dist/bench/shapes.js";
import { spreadOf } from "../dist/bench/spread.js";
import { loadAddon } from "../dist/native.js";
import { batchedStep } from "./contenders/batched_bench.mjs";
import { compared } from "./judging_peers.mjs";
import { inRounds } from "./rounds.mjs";
import { pure, roundUp } from "./setting.mjs";

const native = (name) => `build/cmake/bench/native/${name}`;
const run = (name, ...args) => JSON.parse(execFileSync(native(name), args.map(String)).toString());

export const machineLimits = (threads, types) => run("machine_limits", threads, 5, ...types);

export async function decodingCases(setting, workload, machine, limits) {
  const { model, threads, shape, type } = setting;
  const { k, maxTokens } = workload;
  const [prompt] = (await setting.work(workload, 0, pure)).prompts;
  const contextTokens = roundUp(prompt.length + k * maxTokens);
  const ways = [setting.plain, ...setting.packings];
  const ours = {};
  for (const { spct, packedWeights, sharedAttention } of ways) {
    const contender = await setting.spct({ contextTokens, packedWeights, sharedAttention });
    // A step's milliseconds in place of seconds; all draw rows x steps tokens.
    ours[spct] = async (seed) => {
      const times = await contender.decode({ prompt: [...prompt], k, maxTokens, sampling: pure, seed });
      const milliseconds = (1000 * (times.seconds - times.prefillSeconds)) / times.decodeSteps;
      return { seconds: milliseconds, tokens: times.endedEarly ? 0 : k * maxTokens };
    };
  }
  const measuredShares = [];
  const steps = await inRounds(
    {
      ...ours,
      sampling: async () => {
        const times = shareTimes(setting, k);
        measuredShares.push(times);
        return { seconds: times.topK40.median, tokens: k * maxTokens };
      },
      batched: async () => {
        const work = { model, promptTokens: prompt.length, rows: k, steps: maxTokens - 1, threads };
        return { seconds: await batchedStep(work), tokens: k * maxTokens };
      },
    },
    { ...limits, tokens: k * maxTokens },
  );
  setting.stop();
  const [, ...shares] = measuredShares; // without the round that warms up

  const common = { shape };
  const size = { rows: k, prompt: prompt.length, maxTokens };
  const beside = ({ spct, suffix }) => {
    const { seconds, ...ratio } = compared(steps.batched, steps[spct]);
    return {
      name: `decode-${k}-rows-${type}${suffix}`,
      ...common,
      peer: "llama-batched-bench (no sampling)",
      ...ratio,
      millisecondsPerStep: { spct: seconds.spct, peer: seconds.peer },
    };
  };
  const within = (packing) => {
    const step = spreadOf(steps[packing.spct]);
    return [
      rooflineCase(setting, packing, size, step, machine),
      ...shareCases(setting, packing, k, step, shares),
    ].map((one) => ({ ...common, ...one }));
  };
  return [...ways.map(beside), ...ways.flatMap(within)];
}

/** The type in which weights of a type are multiplied: oneDNN has bfloat16 for all that are quantized. */
function multipliedType(type, packedWeights) {
  const keepsBytes = type === "q8_0" && loadAddon().systemInfo().gemm.description === "AVX2";
  if (packedWeights === "off" || keepsBytes) return type;
  return ["f32", "f16"].includes(type) ? "f32" : "bf16";
}

function rooflineCase(
  { shape, type },
  { packedWeights, suffix },
  { rows, prompt, maxTokens },
  step,
  machine,
) {
  const visible = prompt + maxTokens / 2;
  const multiplied = multipliedType(type, packedWeights);
  const cost = stepCost(shapes[shape], multiplied, { rows, cells: prompt + (rows * maxTokens) / 2, visible });
  const { f32, bf16 = f32, int8 = f32 } = machine.vectorOperationsPerSecond;
  const flopsPerSecond = { f32, f16: f32, bf16 }[multiplied] ?? int8;
  const bytesPerSecond = Math.max(machine.triadBytesPerSecond, machine.readBytesPerSecond);
  const least = 1000 * leastSeconds(cost, { bytesPerSecond, flopsPerSecond });
  const ggml = machine.ggmlMatmulOperationsPerSecond[type];
  const matmul = packedWeights === "off" && { ggmlMatmulAlone: (1000 * cost.matmulFlops) / ggml[32] };
  return {
    name: `roofline-${rows}-rows-${type}${suffix}`,
    peer: "least time of a step on this machine",
    unit: "share of the step",
    ratio: least / step.median,
    n: step.n,
    spread: [least / step.spread[1], least / step.spread[0]],
    milliseconds: { step: step.median, least, ...matmul },
    cost,
  };
}

function shareTimes({ shape, threads }, rows) {
  const { vocabulary, embedding } = shapes[shape];
  return run("step_share", threads, rows, vocabulary.size, embedding);
}

function shareCases({ shape }, { suffix }, rows, step, shares) {
  const timesOf = (part) => spreadOf(shares.map((times) => times[part].median));
  const head = timesOf("head").median;
  return [
    ["topk40", timesOf("topK40")],
    ["pure", timesOf("pure")],
  ].map(([sampling, { median, spread, n }]) => ({
    name: `sampling-and-head-${rows}-rows-${shapes[shape].vocabulary.size}-tokens-${sampling}${suffix}`,
    peer: "the whole step",
    unit: "share of the step",
    ratio: (median + head) / step.median,
    n,
    spread: spread.map((edge) => (edge + head) / step.median),
    milliseconds: { sampling: median, head, step: step.median },
  }));
}
