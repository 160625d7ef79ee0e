import { availableParallelism } from "node:os";
import { SpctError } from "../errors.js";
import { loadAddon, type NativeEngine, type NativeGroup } from "../native.js";

/** Engine options that change how fast a model judges, not what it can. */
interface EngineSettings {
  threads: number;
  batchTokens: number;
  flashAttention: "on" | "off";
}

export interface Trial extends EngineSettings {
  /** Of the judging below, the least of the rounds: what disturbs a round makes it longer. */
  seconds: number;
}

/** Two prompts that share their first half, and samples of both; shorter prompts where the model's context ends before. */
const workload = { promptTokens: 1024, samples: 16, sampleTokens: 32 };
const rounds = 3;
/** A large model on a slow machine is measured once. */
const patience = 20_000;
/** A setting replaces another when it is faster by so much; less is noise. */
const worthwhile = 0.03;

/**
 * Measures one option after the other, each with the best of those before: threads, flash attention, tokens of a step.
 * Rejects as loading an engine does.
 */
export async function calibrate(
  modelPath: string,
  onTrial: (trial: Trial) => void,
): Promise<{ best: Trial; trials: Trial[] }> {
  const trials: Trial[] = [];
  const attempt = async (settings: EngineSettings): Promise<Trial> => {
    const trial = { ...settings, seconds: await timeJudging(modelPath, settings) };
    trials.push(trial);
    onTrial(trial);
    return trial;
  };
  let best = await attempt({ threads: availableParallelism(), batchTokens: 512, flashAttention: "on" });
  const consider = async (change: Partial<EngineSettings>) => {
    const { seconds: _, ...settings } = best;
    const trial = await attempt({ ...settings, ...change });
    if (trial.seconds < best.seconds * (1 - worthwhile)) best = trial;
  };
  for (const threads of fewerThreads()) await consider({ threads });
  await consider({ flashAttention: "off" });
  for (const batchTokens of [256, 1024, 2048]) await consider({ batchTokens });
  return { best, trials };
}

/** Halves of the number of cores down to one. */
function fewerThreads(): number[] {
  const counts: number[] = [];
  for (let threads = availableParallelism() >> 1; threads >= 1; threads >>= 1) counts.push(threads);
  return counts;
}

async function timeJudging(modelPath: string, settings: EngineSettings): Promise<number> {
  const { promptTokens, samples, sampleTokens } = workload;
  let engine: NativeEngine;
  try {
    const contextTokens = 2 * promptTokens + samples * sampleTokens;
    engine = await loadAddon().loadEngine({
      modelPath,
      contextTokens,
      maxSequences: samples + 2,
      ...settings,
    });
  } catch (error) {
    throw SpctError.from(error, "ENGINE_FAILURE");
  }
  try {
    const fitting = 2 * Math.floor((engine.info.contextTokens - sampleTokens) / 2);
    const fitted = { ...workload, promptTokens: Math.min(promptTokens, fitting) };
    await judge(engine, { promptTokens: 32, samples: 2, sampleTokens: 2 });
    const start = performance.now();
    let least = Number.POSITIVE_INFINITY;
    for (let round = 0; round < rounds; round++) {
      const begun = performance.now();
      await judge(engine, fitted);
      least = Math.min(least, (performance.now() - begun) / 1000);
      if (performance.now() - start > patience) break;
    }
    return least;
  } finally {
    await engine.close();
  }
}

/** The tokens are given, so that every judging has as many and any vocabulary will do. */
function judge(
  engine: NativeEngine,
  { promptTokens, samples, sampleTokens }: typeof workload,
): Promise<void> {
  const tokens = (count: number, first: number) =>
    Array.from({ length: count }, (_, index) => (first + index) % engine.info.vocabulary);
  const shared = tokens(promptTokens / 2, 0);
  const prompts = [1, 2].map((prompt) =>
    Int32Array.from([...shared, ...tokens(promptTokens / 2, 7 * prompt)]),
  );
  const group: NativeGroup = {
    prompts,
    samples: Array.from({ length: samples }, (_, seed) => {
      return { prompt: seed % 2, seed, continuation: Int32Array.from(tokens(sampleTokens, seed)) };
    }),
    ...{ temperature: 1, topK: 0, topP: 1, minP: 0, order: "temperature-first" },
    maxTokens: sampleTokens,
  };
  return new Promise((resolve, reject) => {
    let open = samples;
    engine.submit(group, ({ error }) => {
      if (error !== undefined) reject(new SpctError(error.code, error.message));
      if (--open === 0) resolve();
    });
  });
}
