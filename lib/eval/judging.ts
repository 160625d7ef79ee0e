import { SpctError } from "../errors.js";
import type { SampleRecord } from "../records.js";
import type { Item } from "./benchmark.js";
import type { Judge } from "./judges/judge.js";

export interface Judging<T extends Item> {
  item: T;
  samples: SampleRecord[];
}

/** Errors of one item that say nothing about the next; its samples then count as failed, with the code as the reason. */
const ownErrors = new Set(["CONTEXT_OVERFLOW", "INVALID_ARGUMENT"]);

/** Judges items, as many at the same time as the judge finds worth it, and yields them in their order. Throws CANCELLED, or
 * what failed in the judge, once all items before the failure have been yielded. */
export async function* judgeItems<T extends Item>(
  judge: Judge,
  items: Iterable<T> | AsyncIterable<T>,
  signal?: AbortSignal,
): AsyncGenerator<Judging<T>, void, undefined> {
  const stopped = new AbortController();
  const each = signal === undefined ? stopped.signal : AbortSignal.any([signal, stopped.signal]);
  const running: Promise<Outcome<T>>[] = [];
  const oldest = async () => {
    const outcome = await running.shift()!;
    if ("error" in outcome) throw outcome.error;
    return outcome.judging;
  };
  try {
    for await (const item of items) {
      running.push(settle(judge, item, each));
      if (running.length >= judge.concurrency) yield await oldest();
    }
    while (running.length > 0) yield await oldest();
  } finally {
    stopped.abort();
    await Promise.all(running);
  }
}

type Outcome<T extends Item> = { judging: Judging<T> } | { error: unknown };

async function settle<T extends Item>(judge: Judge, item: T, signal: AbortSignal): Promise<Outcome<T>> {
  try {
    return { judging: { item, samples: await samplesOf(judge, item, signal) } };
  } catch (error) {
    return { error };
  }
}

async function samplesOf(judge: Judge, item: Item, signal: AbortSignal): Promise<SampleRecord[]> {
  try {
    return await judge.judge(item, signal);
  } catch (error) {
    if (!(error instanceof SpctError) || !ownErrors.has(error.code)) throw error;
    const reason = error.code.toLowerCase().replaceAll("_", "-");
    return Array.from({ length: judge.k }, () => ({ scores: null, reason, meta: null }));
  }
}
