import {
  type JudgeManyOptions,
  type JudgeOptions,
  readJudgeManyOptions,
  readJudgeOptions,
} from "./settings.js";
import type { Query, Verdict } from "./types.js";

type Judge = (query: Query, options: JudgeOptions) => Promise<Verdict>;
type Outcome = { verdict: Verdict } | { error: unknown };

/**
 * How many samples to keep running, so that the engine does not run dry between queries. On a CPU few queries at a time are faster
 * (bench/judging.mjs), the fewer where each has only a few samples at a time (bench/early_stop.mjs).
 */
export function samplesInFlight(backend: string, stopsEarly = false): number {
  if (backend !== "cpu") return 128;
  return stopsEarly ? 16 : 32;
}

/** Samples of a query that may stop early: as few as decide a clear case, as other queries fill the batch. */
export const samplesAtOnce = 4;

/** Judges queries several at a time and yields their verdicts in order. */
export async function* judgeInOrder(
  judge: Judge,
  queries: Iterable<Query> | AsyncIterable<Query>,
  options: JudgeManyOptions,
  backend: string,
): AsyncGenerator<Verdict, void, undefined> {
  const { concurrency, onError, each } = readJudgeManyOptions(options);
  const { k, signal, earlyStop } = readJudgeOptions(each, {}, Number.POSITIVE_INFINITY);
  if (earlyStop !== undefined) each.earlyStop = { ...earlyStop, atOnce: earlyStop.atOnce ?? samplesAtOnce };
  const atOnce = Math.min(k, each.earlyStop?.atOnce ?? k);
  const inFlight = samplesInFlight(backend, earlyStop !== undefined);
  const limit = concurrency ?? Math.max(2, Math.ceil(inFlight / atOnce));
  const stopped = new AbortController();
  const eachSignal = signal === undefined ? stopped.signal : AbortSignal.any([signal, stopped.signal]);
  const source = iterate(queries);
  const running: Promise<Outcome>[] = [];
  let upcoming: Promise<Taken> | undefined;
  let ended: Extract<Taken, { done: true }> | undefined;
  let index = 0;
  try {
    for (;;) {
      const oldest = running[0];
      if (ended === undefined && running.length < limit) {
        upcoming ??= take(source);
        if (oldest === undefined || (await isFirst(upcoming, oldest))) {
          const taken: Taken = await upcoming;
          upcoming = undefined;
          if (taken.done) ended = taken;
          else running.push(settle(judge(taken.query, { ...each, signal: eachSignal })));
          continue;
        }
      }
      if (oldest === undefined) break;
      const outcome = await oldest;
      running.shift();
      const position = index++;
      if ("verdict" in outcome) yield outcome.verdict;
      else if (onError !== undefined && !eachSignal.aborted) onError(outcome.error, position);
      else throw outcome.error;
    }
    if (ended?.failure !== undefined) throw ended.failure.error;
  } finally {
    stopped.abort();
    await Promise.all(running);
    const closing = source.return(undefined);
    // A source that is still thinking about its next query would keep this waiting for as long.
    if (upcoming === undefined) await closing;
    else closing.catch(() => undefined);
  }
}

/** A query, or the end of the source: by itself or by an error. */
type Taken = { done: false; query: Query } | { done: true; failure?: { error: unknown } };

async function take(source: AsyncGenerator<Query>): Promise<Taken> {
  try {
    const next = await source.next();
    return next.done ? { done: true } : { done: false, query: next.value };
  } catch (error) {
    return { done: true, failure: { error } };
  }
}

/** Both promises never reject. */
async function isFirst(candidate: Promise<unknown>, other: Promise<unknown>): Promise<boolean> {
  return Promise.race([candidate.then(() => true), other.then(() => false)]);
}

async function settle(judging: Promise<Verdict>): Promise<Outcome> {
  try {
    return { verdict: await judging };
  } catch (error) {
    return { error };
  }
}

async function* iterate(
  queries: Iterable<Query> | AsyncIterable<Query>,
): AsyncGenerator<Query, void, undefined> {
  yield* queries;
}
