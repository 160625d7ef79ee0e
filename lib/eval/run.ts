import { readFileSync } from "node:fs";
import { SpctError } from "../errors.js";
import type { JudgementRecord, SampleRecord } from "../records.js";
import { credit } from "../vote/metrics.js";
import { tally } from "../vote/tally.js";
import type { BadRowNote, Benchmark, Item } from "./benchmark.js";
import { loadItems } from "./benchmark.js";
import { isDecidable } from "./curve.js";
import { hashPath, hashText } from "./hash.js";
import type { Judge } from "./judges/judge.js";
import { type Part, takePart } from "./part.js";
import { RunFolder } from "./run_folder.js";

export interface RunProgress {
  /** Items judged, those of an earlier run included. */
  done: number;
  total: number;
  /** Judged by this process. */
  judged: number;
  /** Of these, with shared ties; null if none is labelled. */
  accuracy: number | null;
  milliseconds: number;
}

export interface RunOptions extends Part {
  onBad?: (note: BadRowNote) => void;
  onProgress?: (progress: RunProgress) => void;
  signal?: AbortSignal;
}

/** Errors of one item that say nothing about the next; its samples then count as failed, with the code as the reason. */
const ownErrors = new Set(["CONTEXT_OVERFLOW", "INVALID_ARGUMENT"]);

/**
 * Judges a data set into a folder and returns the path of its judgements. Resumes what an earlier run with the same judge,
 * data and part left behind. Lines are in the order of the data, so the finished file does not depend on interruptions as
 * long as the judge gives the same samples for an item. Holds as many items as the judge works on at once. Throws
 * FILE_NOT_FOUND, BAD_ROW, RUN_MISMATCH, CANCELLED, or what failed in the judge.
 */
export async function run(
  benchmark: Benchmark,
  data: string,
  judge: Judge,
  folder: string,
  options: RunOptions = {},
): Promise<string> {
  const { onBad, onProgress, signal, limit, shard } = options;
  const part = { limit, shard };
  const total = await count(takePart(loadItems(benchmark, data, onBad), part));
  const identity = { benchmark: benchmark.name, data: await hashPath(data), part, judge: judge.identity };
  const about = { benchmark: benchmark.name, data, judge: judge.name, ...versions(), details: judge.details };
  const place = await RunFolder.open(folder, { identity, about });
  const name = hashText(JSON.stringify(identity)).slice(0, 12);
  const earlier = place.size;
  const start = performance.now();
  let judged = 0;
  const decided = { items: 0, credit: 0 };
  const stopped = new AbortController();
  const each = signal === undefined ? stopped.signal : AbortSignal.any([signal, stopped.signal]);
  const running: Promise<Outcome>[] = [];
  const finish = async () => {
    const outcome = await running.shift()!;
    if ("error" in outcome) throw outcome.error;
    place.append(outcome.record);
    judged++;
    const points = creditOf(outcome.record);
    if (points !== null) {
      decided.items++;
      decided.credit += points;
    }
    const accuracy = decided.items === 0 ? null : decided.credit / decided.items;
    onProgress?.({
      done: earlier + judged,
      total,
      judged,
      accuracy,
      milliseconds: performance.now() - start,
    });
  };
  try {
    for await (const item of takePart(
      loadItems(benchmark, data, () => undefined),
      part,
    )) {
      if (place.takeDone(item.id)) continue;
      running.push(settle(judgeItem(judge, item, name, each)));
      if (running.length >= judge.concurrency) await finish();
    }
    while (running.length > 0) await finish();
  } finally {
    stopped.abort();
    await Promise.all(running);
    place.close();
  }
  return place.judgements;
}

function versions() {
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  return {
    spct: version as string,
    node: process.versions.node,
    platform: `${process.platform}-${process.arch}`,
  };
}

function creditOf({ samples, n, label }: JudgementRecord): number | null {
  const { scores } = tally(samples, n);
  const correct = label === null ? null : [label].flat();
  return scores === null || !isDecidable({ correct, n }) ? null : credit(scores, correct!, "share");
}

type Outcome = { record: JudgementRecord } | { error: unknown };

async function settle(judging: Promise<JudgementRecord>): Promise<Outcome> {
  try {
    return { record: await judging };
  } catch (error) {
    return { error };
  }
}

async function judgeItem(
  judge: Judge,
  item: Item,
  run: string,
  signal: AbortSignal,
): Promise<JudgementRecord> {
  const { id, subset, label, responses } = item;
  const samples = await samplesOf(judge, item, signal);
  return { id, ...(subset === undefined ? {} : { subset }), n: responses.length, label, samples, run };
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

async function count(source: AsyncIterable<unknown>): Promise<number> {
  let items = 0;
  for await (const _ of source) items++;
  return items;
}
