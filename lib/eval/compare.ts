import { creditOfVote } from "../vote/metrics.js";
import { kMetaOfBeginning, type SummaryOptions } from "../vote/summary.js";
import { tally } from "../vote/tally.js";
import { type Benchmark, type JudgedItem, loadItems } from "./benchmark.js";
import { joinJudgements } from "./join.js";
import { loadJudgements } from "./judgements.js";
import {
  bootstrap,
  bootstrapStrata,
  cohenKappa,
  type Interval,
  mcnemar,
  mean,
  wilson,
} from "./statistics.js";

/** One judge against another on the items that both decided. */
export interface Comparison {
  items: number;
  accuracy: number | null;
  accuracyInterval: Interval | null;
  otherAccuracy: number | null;
  otherAccuracyInterval: Interval | null;
  /** Accuracy less the other's, with the interval of a bootstrap over pairs. */
  difference: number | null;
  differenceInterval: Interval | null;
  /** Items on which only one of the two is right. */
  onlyThis: number;
  onlyOther: number;
  /** Exact McNemar test of these two. */
  p: number;
  /** Cohen's kappa of being right. */
  kappa: number | null;
  kappaInterval: Interval | null;
}

/** What a vote is worth to a comparison. Ties are never drawn but shared: a draw would add noise to a paired test. */
function worthOf(
  scores: readonly number[] | null,
  choice: Pick<JudgedItem, "correct" | "n">,
  { ties = "share", unvoted = "wrong" }: Pick<SummaryOptions, "ties" | "unvoted">,
): number | null {
  return creditOfVote(scores, choice, { ties: ties === "random" ? "share" : ties, unvoted });
}

/** Collects what each item is worth to one judge. */
export class CreditsById {
  readonly #credits = new Map<string, number[]>();

  constructor(private readonly options: Pick<SummaryOptions, "ties" | "unvoted"> = {}) {}

  add({ id, correct, n, tally: { scores } }: Pick<JudgedItem, "id" | "correct" | "n" | "tally">): void {
    const points = worthOf(scores, { correct, n }, this.options);
    if (points === null) return;
    const known = this.#credits.get(id);
    if (known === undefined) this.#credits.set(id, [points]);
    else known.push(points);
  }

  take(id: string): number | undefined {
    return this.#credits.get(id)?.shift();
  }
}

/** Compares the credits of a judge with other recorded judgements of the same data, voted as its own. */
export async function compareWith(
  credits: CreditsById,
  benchmark: Benchmark,
  data: string,
  judgements: string,
  { k, kMeta, aggregate, ...policies }: SummaryOptions = {},
): Promise<Comparison> {
  const own: number[] = [];
  const other: number[] = [];
  const items = loadItems(benchmark, data, () => undefined);
  for await (const { record, facts } of joinJudgements(items, loadJudgements(judgements), {
    missing: 0,
    unknown: 0,
  })) {
    const points = credits.take(facts.id);
    const correct = facts.label === null ? null : [facts.label].flat();
    const vote = { aggregate, kMeta: kMetaOfBeginning(record, { k, kMeta }) };
    const { scores } = tally(record.samples.slice(0, k), record.n, vote);
    const against = worthOf(scores, { correct, n: record.n }, policies);
    if (points === undefined || against === null) continue;
    own.push(points);
    other.push(against);
  }
  return comparisonOf(own, other);
}

/** A credit of one half is neither right nor wrong; such items are left out of the tests on counts. */
export function comparisonOf(own: readonly number[], other: readonly number[]): Comparison {
  const decided = [...own.keys()].filter((index) => [own[index], other[index]].every(Number.isInteger));
  const table = tableOf(decided, own, other);
  const differences = own.map((points, index) => points - other[index]!);
  const meanOf = (values: readonly number[]) => (values.length === 0 ? null : mean(values));
  const intervalOf = (values: readonly number[]) =>
    values.length === 0 ? null : wilson(mean(values), values.length);
  const kappa = cohenKappa(table);
  const resampled = (indices: Int32Array) =>
    cohenKappa(
      tableOf(
        Array.from(indices, (index) => decided[index]!),
        own,
        other,
      ),
    ) ?? 0;
  return {
    items: own.length,
    accuracy: meanOf(own),
    accuracyInterval: intervalOf(own),
    otherAccuracy: meanOf(other),
    otherAccuracyInterval: intervalOf(other),
    difference: meanOf(differences),
    differenceInterval: bootstrapStrata([{ values: differences, weight: 1 }]),
    onlyThis: table[1]![0]!,
    onlyOther: table[0]![1]!,
    p: mcnemar(table[1]![0]!, table[0]![1]!),
    kappa,
    kappaInterval: kappa === null ? null : bootstrap(decided.length, resampled),
  };
}

/** Counts of wrong and right: rows of this judge, columns of the other. */
function tableOf(items: readonly number[], own: readonly number[], other: readonly number[]): number[][] {
  const table = [
    [0, 0],
    [0, 0],
  ];
  for (const item of items) table[own[item]!]![other[item]!]!++;
  return table;
}
