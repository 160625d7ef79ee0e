import { resolve } from "node:path";
import { recordOf, type SampleRecord } from "../records.js";
import { versions } from "../versions.js";
import { creditOfVote } from "../vote/metrics.js";
import { tally } from "../vote/tally.js";
import type { BadRowNote, Benchmark, Item } from "./benchmark.js";
import { loadItems } from "./benchmark.js";
import { hashPath, hashText } from "./hash.js";
import type { Judge } from "./judges/judge.js";
import { judgeItems } from "./judging.js";
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
  const about = {
    benchmark: benchmark.name,
    data: resolve(data),
    judge: judge.name,
    ...versions(),
    details: judge.details,
  };
  const place = await RunFolder.open(folder, { identity, about });
  const name = hashText(JSON.stringify(identity)).slice(0, 12);
  const earlier = place.size;
  const start = performance.now();
  const items = takePart(
    loadItems(benchmark, data, () => undefined),
    part,
  );
  let judged = 0;
  const decided = { items: 0, credit: 0 };
  try {
    for await (const { item, samples } of judgeItems(judge, notDone(items, place), signal)) {
      const { id, subset, label, responses } = item;
      place.append(recordOf({ id, subset, n: responses.length, label, run: name }, samples, judge.k));
      judged++;
      const points = creditOf(item, samples);
      if (points !== null) {
        decided.items++;
        decided.credit += points;
      }
      const accuracy = decided.items === 0 ? null : decided.credit / decided.items;
      const milliseconds = performance.now() - start;
      onProgress?.({ done: earlier + judged, total, judged, accuracy, milliseconds });
    }
  } finally {
    place.close();
  }
  return place.judgements;
}

async function* notDone(items: AsyncIterable<Item>, place: RunFolder): AsyncGenerator<Item> {
  for await (const item of items) if (!place.takeDone(item.id)) yield item;
}

function creditOf(
  { responses: { length: n }, label }: Item,
  samples: readonly SampleRecord[],
): number | null {
  const correct = label === null ? null : [label].flat();
  return creditOfVote(tally(samples, n).scores, { correct, n }, { ties: "share", unvoted: "wrong" });
}

async function count(source: AsyncIterable<unknown>): Promise<number> {
  let items = 0;
  for await (const _ of source) items++;
  return items;
}
