import type { NativeEngine, NativeGroup } from "../native.js";

/** What one group of samples took on an idle engine. */
export interface GroupTimes {
  seconds: number;
  /** Until every sample had its first token. */
  prefillSeconds: number;
  promptTokens: number;
  promptTokensComputed: number;
  generatedTokens: number;
  /** After the first tokens. */
  decodeSteps: number;
  /** Whether a sample drew an end token: it then has fewer tokens than its budget. */
  endedEarly: boolean;
}

const pollMilliseconds = 2;

/** Runs a group and watches the engine's counters for the end of the prefill. */
export async function timeGroup(engine: NativeEngine, group: NativeGroup): Promise<GroupTimes> {
  const before = engine.stats();
  const start = performance.now();
  let prefilled: { at: number; steps: number } | undefined;
  const look = () => {
    const { generatedTokens, steps } = engine.stats();
    if (generatedTokens - before.generatedTokens < group.samples.length) return;
    prefilled = { at: performance.now(), steps };
    clearInterval(watch);
  };
  const watch = setInterval(look, pollMilliseconds);
  try {
    const { promptTokensComputed, endedEarly } = await collect(engine, group);
    const end = performance.now();
    const after = engine.stats();
    prefilled ??= { at: end, steps: after.steps };
    return {
      seconds: (end - start) / 1000,
      prefillSeconds: (prefilled.at - start) / 1000,
      promptTokens: group.samples.reduce((sum, { prompt }) => sum + group.prompts[prompt]!.length, 0),
      promptTokensComputed,
      generatedTokens: after.generatedTokens - before.generatedTokens,
      decodeSteps: after.steps - prefilled.steps,
      endedEarly,
    };
  } finally {
    clearInterval(watch);
  }
}

function collect(
  engine: NativeEngine,
  group: NativeGroup,
): Promise<{ promptTokensComputed: number; endedEarly: boolean }> {
  return new Promise((resolve, reject) => {
    let open = group.samples.length;
    let endedEarly = false;
    engine.submit(group, ({ reason, error, promptTokensComputed }) => {
      if (error !== undefined) reject(Object.assign(new Error(error.message), { code: error.code }));
      if (reason !== "length") endedEarly = true;
      if (--open === 0) resolve({ promptTokensComputed, endedEarly });
    });
  });
}
