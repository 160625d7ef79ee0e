import { invalidArgument } from "../../errors.js";
import type { SampleRecord } from "../../records.js";
import type { Item } from "../benchmark.js";
import type { Judge } from "./judge.js";

/**
 * Judges any number of responses with a judge of two: every pair, one after the other. Sample i of an item with more than two
 * responses is made of the i-th samples of all its pairs; a response's score there is the sum of what it got in its pairs, for
 * a judge that names winners the number of its wins. If one of the pairs has no scores in a sample, the sample has none.
 */
export class AllPairs implements Judge {
  readonly name: string;
  readonly identity: Record<string, unknown>;
  readonly details: Record<string, unknown>;
  readonly k: number;
  readonly concurrency: number;

  constructor(
    kind: string,
    private readonly ofTwo: Judge,
  ) {
    const { name, identity, details, k, concurrency } = ofTwo;
    this.name = name;
    this.identity = { ...identity, kind };
    this.details = details;
    this.k = k;
    this.concurrency = concurrency;
  }

  async judge(item: Item, signal?: AbortSignal): Promise<SampleRecord[]> {
    const n = item.responses.length;
    if (n < 2) throw invalidArgument("responses", "at least two for a pairwise judge", n);
    if (n === 2) return this.ofTwo.judge(item, signal);
    const judged: JudgedPair[] = [];
    for (const pair of pairsOf(n)) {
      const samples = await this.ofTwo.judge(pairItem(item, pair), signal);
      judged.push({ pair, samples });
    }
    return Array.from({ length: this.k }, (_, sample) => combine(judged, sample, n));
  }

  close(): Promise<void> {
    return this.ofTwo.close();
  }
}

type Pair = [first: number, second: number];

interface JudgedPair {
  pair: Pair;
  samples: SampleRecord[];
}

function pairsOf(n: number): Pair[] {
  return Array.from({ length: n }, (_, first) =>
    Array.from({ length: n - first - 1 }, (_, offset) => [first, first + 1 + offset] as Pair),
  ).flat();
}

/** The id is the pair's own, as seeds and orders depend on it. */
function pairItem(item: Item, [first, second]: Pair): Item {
  const responses = [item.responses[first]!, item.responses[second]!];
  return { ...item, id: `${item.id}#${first}-${second}`, responses, label: null };
}

function combine(judged: readonly JudgedPair[], index: number, n: number): SampleRecord {
  const parts = judged.map(({ pair, samples }) => ({ pair, sample: samples[index]! }));
  const text = parts.map(
    ({ pair, sample }) => `${pair.map((place) => place + 1).join(" against ")}:\n${sample.text ?? ""}`,
  );
  const about = {
    meta: meanMeta(parts.map(({ sample }) => sample.meta)),
    text: text.join("\n\n"),
    tokens: parts.reduce((sum, { sample }) => sum + (sample.tokens ?? 0), 0),
  };
  const failed = parts.find(({ sample }) => sample.scores === null || sample.scores.includes(null));
  if (failed !== undefined)
    return { scores: null, reason: failed.sample.reason ?? "missing-score", ...about };
  const pairs = parts.map(({ pair, sample }) => ({ pair, scores: sample.scores as number[] }));
  const scores = new Array<number>(n).fill(0);
  for (const { pair, scores: own } of pairs) {
    for (const [side, response] of pair.entries()) scores[response]! += own[side]!;
  }
  return { scores, ...about, pairs };
}

function meanMeta(metas: readonly (number | null)[]): number | null {
  const known = metas.filter((meta) => meta !== null);
  return known.length < metas.length ? null : known.reduce((sum, meta) => sum + meta, 0) / known.length;
}
