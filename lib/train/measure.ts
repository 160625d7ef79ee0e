import type { Grm } from "../judge.js";
import type { JudgeManyOptions } from "../settings.js";
import { credit } from "../vote/metrics.js";
import { tally } from "../vote/tally.js";
import { type Accuracy, accuracyOf } from "./accuracy.js";
import type { TaskItem } from "./tasks/task.js";

export interface JudgeFigures {
  items: number;
  greedy: Accuracy;
  /** Plain voting over the first k samples, by k. */
  voting: Record<string, Accuracy>;
  /** Voting over the half of the first k samples that the meta RM ranks highest; without a meta RM empty. */
  meta: Record<string, Accuracy>;
  /** Share of the samples without readable scores. */
  invalid: number;
  seconds: number;
}

export interface MeasureOptions {
  ks: readonly number[];
  seed: number;
  sampling?: Pick<JudgeManyOptions, "temperature" | "topP">;
  signal?: AbortSignal;
  onProgress?: (done: number, total: number) => void;
}

/**
 * Accuracy of a judge on items with one best response: greedy, and voting at several k on the same samples. A tie at the top is
 * worth its share, the expected value of the paper's random choice.
 */
export async function measureJudge(
  grm: Grm,
  items: readonly TaskItem[],
  { ks, seed, sampling, signal, onProgress }: MeasureOptions,
): Promise<JudgeFigures> {
  const start = performance.now();
  const queries = items.map(({ query, responses }) => ({ query, responses }));
  const most = Math.max(...ks);
  const total = 2 * items.length;
  let done = 0;
  let greedy = 0;
  for await (const { scores } of grm.judgeMany(queries, { k: 1, temperature: 0, kMeta: undefined, signal })) {
    greedy += creditOf(scores, items[done]!);
    onProgress?.(++done, total);
  }
  const voting = new Map(ks.map((k) => [k, 0]));
  const meta = new Map(ks.map((k) => [k, 0]));
  let invalid = 0;
  let rated = false;
  for await (const { samples } of grm.judgeMany(queries, { k: most, seed, ...sampling, signal })) {
    const item = items[done - items.length]!;
    for (const k of ks) {
      const ballots = samples.slice(0, k);
      const plain = tally(ballots, item.responses.length, { kMeta: k });
      voting.set(k, voting.get(k)! + creditOf(plain.scores, item));
      meta.set(k, meta.get(k)! + creditOf(tally(ballots, item.responses.length).scores, item));
    }
    invalid += samples.filter(({ scores }) => scores === null).length;
    rated ||= samples.some((sample) => sample.meta !== null);
    onProgress?.(++done, total);
  }
  const figures = (credits: Map<number, number>) =>
    Object.fromEntries([...credits].map(([k, sum]) => [k, accuracyOf(sum, items.length)]));
  return {
    items: items.length,
    greedy: accuracyOf(greedy, items.length),
    voting: figures(voting),
    meta: rated ? figures(meta) : {},
    invalid: invalid / (items.length * most),
    seconds: (performance.now() - start) / 1000,
  };
}

function creditOf(scores: readonly number[] | null, { label }: TaskItem): number {
  if (label === null) throw new RangeError("Expected items with a best response");
  return scores === null ? 0 : credit(scores, [label], "share");
}
