import type { Engine, RequestUsage, SampleRequest } from "./engine/engine.js";
import type { Completion } from "./types.js";

/** How the samples of a request are drawn: some at a time, until they are enough. */
export interface Waves {
  /** Samples that the engine is given at a time. */
  atOnce: number;
  /** After how many samples, ascending, `isEnough` is asked: once the first so many have finished, in whatever order. */
  looks: readonly number[];
  isEnough: (count: number) => boolean;
}

export interface Drawn {
  /** How many samples were enough; all of these have finished. */
  count: number;
  usage: RequestUsage;
}

/**
 * Draws a request's samples. What is drawn does not depend on who finishes first, as only whole beginnings of the request are
 * looked at; samples behind the last look that counted may have finished too, or are given up. Rejects as `Engine.sample` does.
 */
export async function drawInWaves(
  engine: Engine,
  request: SampleRequest,
  { atOnce, looks, isEnough }: Waves,
  onCompletion: (completion: Completion) => void,
  signal: AbortSignal,
): Promise<Drawn> {
  const { samples } = request;
  const tokens: (number | undefined)[] = new Array(samples.length);
  const usages: RequestUsage[] = [];
  let finished = 0;
  let count: number | undefined;
  for (let start = 0; start < samples.length && count === undefined; start += atOnce) {
    const enough = new AbortController();
    const receive = (completion: Completion) => {
      const sample = start + completion.sample;
      tokens[sample] = completion.tokens;
      onCompletion({ ...completion, sample });
      while (count === undefined && tokens[finished] !== undefined) {
        finished++;
        if (!looks.includes(finished) || !isEnough(finished)) continue;
        count = finished;
        enough.abort();
      }
    };
    const wave = { ...request, samples: samples.slice(start, start + atOnce) };
    usages.push(await engine.sample(wave, receive, signal, enough.signal));
  }
  count ??= samples.length;
  const vain = tokens.slice(count).reduce<number>((sum, one) => sum + (one ?? 0), 0);
  return {
    count,
    usage: addUp([...usages, { promptTokens: 0, promptTokensComputed: 0, abandonedTokens: vain }]),
  };
}

/** A sum with a part that is unknown is unknown. */
function addUp(usages: readonly RequestUsage[]): RequestUsage {
  const sum = (values: (number | null)[]) =>
    values.includes(null) ? null : values.reduce<number>((total, value) => total + value!, 0);
  return {
    promptTokens: usages.reduce((total, { promptTokens }) => total + promptTokens, 0),
    promptTokensComputed: sum(usages.map(({ promptTokensComputed }) => promptTokensComputed)),
    abandonedTokens: sum(usages.map(({ abandonedTokens = null }) => abandonedTokens)),
    ...(usages.some(({ metaTokens }) => metaTokens !== undefined) && {
      metaTokens: usages.reduce((total, { metaTokens = 0 }) => total + metaTokens, 0),
    }),
  };
}
