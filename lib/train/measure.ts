import { custom } from "../eval/benchmarks/custom.js";
import { Curve, type CurvePoint } from "../eval/curve.js";
import { GrmJudge, type GrmJudgeOptions } from "../eval/judges/grm.js";
import { judgeItems } from "../eval/judging.js";
import type { Grm } from "../judge.js";
import type { JudgeManyOptions } from "../settings.js";
import { tally } from "../vote/tally.js";
import type { Accuracy } from "./accuracy.js";
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
  /** None: only greedily. */
  ks: readonly number[];
  seed: number;
  sampling?: Pick<JudgeManyOptions, "temperature" | "topP">;
  signal?: AbortSignal;
  onProgress?: (done: number, total: number) => void;
}

/**
 * Accuracy of a judge on items with one best response: greedy, and voting at several k on the same samples. A tie at the top is
 * worth its share, the expected value of the paper's random choice; an item without a vote is worth nothing. Judges and counts
 * as `spct eval custom` does with the same items, seed and samples.
 */
export async function measureJudge(
  grm: Grm,
  items: readonly TaskItem[],
  { ks, seed, sampling, signal, onProgress }: MeasureOptions,
): Promise<JudgeFigures> {
  const start = performance.now();
  let done = 0;
  const run = (options: Omit<GrmJudgeOptions, "seed" | "reference">, sizes: readonly number[]) => {
    const judge = new GrmJudge(grm, "measured", {}, { ...options, seed, reference: false });
    return measureCurve(judge, items, sizes, signal, () => onProgress?.(++done, 2 * items.length));
  };
  const greedy = await run({ k: 1, temperature: 0 }, [1]);
  const most = Math.max(0, ...ks);
  const sampled = most === 0 ? { voting: {}, meta: {}, invalid: 0 } : await run({ k: most, ...sampling }, ks);
  return {
    items: items.length,
    greedy: greedy.voting["1"]!,
    voting: sampled.voting,
    meta: sampled.meta,
    invalid: most === 0 ? 0 : sampled.invalid / (items.length * most),
    seconds: (performance.now() - start) / 1000,
  };
}

async function measureCurve(
  judge: GrmJudge,
  items: readonly TaskItem[],
  sizes: readonly number[],
  signal: AbortSignal | undefined,
  onItem: () => void,
) {
  const curve = new Curve(custom, { ties: "share", unvoted: "wrong", aggregate: "sum", seed: 0, sizes });
  let position = 0;
  let invalid = 0;
  for await (const { item, samples } of judgeItems(judge, items, signal)) {
    const { id, subset, label, responses } = item;
    if (label === null) throw new RangeError("Expected items with a best response");
    const n = responses.length;
    const votes = tally(samples, n);
    curve.add({ id, subset, n, correct: [label], tally: votes, credit: null, samples }, samples, position++);
    invalid += samples.filter(({ scores }) => scores === null).length;
    onItem();
  }
  const points = curve.points();
  return {
    voting: figuresOf(points.filter(({ meta }) => !meta)),
    meta: figuresOf(points.filter(({ meta }) => meta)),
    invalid,
  };
}

function figuresOf(points: readonly CurvePoint[]): Record<string, Accuracy> {
  return Object.fromEntries(
    points.map(({ k, accuracy, interval, items }) => [k, { accuracy: accuracy!, ci: interval!, n: items }]),
  );
}
