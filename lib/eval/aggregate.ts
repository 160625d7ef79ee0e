import type { Aggregator, JudgedItem, Score } from "./benchmark.js";
import { bootstrapStrata, type Stratum, weightedMean, wilson } from "./statistics.js";

/** Credits of the decided items, by subset. Credits take few values, so they are kept as counts: memory does not grow with
 * the items. */
export class Credits {
  readonly #bySubset = new Map<string, Map<number, number>>();

  add(subset: string, credit: number): void {
    const counts = this.#bySubset.get(subset) ?? new Map<number, number>();
    this.#bySubset.set(subset, counts);
    counts.set(credit, (counts.get(credit) ?? 0) + 1);
  }

  subsets(): string[] {
    return [...this.#bySubset.keys()].sort();
  }

  /** Each credit as often as it was added, the smallest first. */
  of(subset: string): number[] {
    const counts = [...(this.#bySubset.get(subset) ?? [])].sort(([left], [right]) => left - right);
    return counts.flatMap(([credit, count]) => new Array<number>(count).fill(credit));
  }

  /** Accuracy of one subset. */
  score(subset: string): Score {
    return this.#share(subset, [subset]);
  }

  /** Accuracy over all items. */
  total(name: string): Score {
    return this.#share(name, this.subsets());
  }

  #share(name: string, subsets: readonly string[]): Score {
    const counts = subsets.flatMap((subset) => [...(this.#bySubset.get(subset) ?? [])]);
    const sum = counts.reduce((total, [credit, count]) => total + credit * count, 0);
    return countScore(
      name,
      sum,
      counts.reduce((total, [, count]) => total + count, 0),
    );
  }

  /** Plain mean of the accuracies of subsets. */
  plainMean(name: string, subsets: readonly string[]): Score {
    return strataScore(
      name,
      subsets.map((subset) => ({ values: this.of(subset), weight: 1 })),
    );
  }
}

/** A mean of values in [0, 1], with Wilson's interval. */
export function shareScore(name: string, values: readonly number[]): Score {
  const sum = values.reduce((total, value) => total + value, 0);
  return countScore(name, sum, values.length);
}

/** `part` of `items`, with Wilson's interval. */
export function countScore(name: string, part: number, items: number): Score {
  const value = items === 0 ? null : part / items;
  return { name, value, interval: value === null ? null : wilson(value, items), items };
}

/** A weighted mean of means, with a bootstrap interval. */
export function strataScore(name: string, strata: readonly Stratum[]): Score {
  const items = strata.reduce((sum, { values }) => sum + values.length, 0);
  return { name, value: weightedMean(strata), interval: bootstrapStrata(strata), items };
}

/** The accuracy over all items, then that of each subset. */
export function accuracyAggregator(): Aggregator {
  const credits = new Credits();
  return {
    add: ({ subset, credit }) => {
      if (credit !== null) credits.add(subset, credit);
    },
    scores: () => [credits.total("accuracy"), ...credits.subsets().map((name) => credits.score(name))],
  };
}

/** The plain mean of the subsets' accuracies, then each of them. */
export function meanOfSubsetsAggregator(
  creditOf: (item: JudgedItem) => number | null = ({ credit }) => credit,
): Aggregator {
  const credits = new Credits();
  return {
    add: (item) => {
      const credit = creditOf(item);
      if (credit !== null) credits.add(item.subset, credit);
    },
    scores: () => {
      const subsets = credits.subsets();
      return [credits.plainMean("mean", subsets), ...subsets.map((name) => credits.score(name))];
    },
  };
}

/** What the samples of one order decide: a response, a tie, or none where no sample has scores. */
export type Decision = number | "tie" | "none";

/** What each order that an item was shown in decides by itself. Keys name the order; a sample without one was shown the
 * responses as given. */
export function decisionsByOrder({ samples, n }: Pick<JudgedItem, "samples" | "n">): Map<string, Decision> {
  const sums = new Map<string, number[] | null>();
  const given = Array.from({ length: n }, (_, index) => index).join();
  for (const { order, scores } of samples) {
    const key = order?.join() ?? given;
    const sum = sums.get(key) ?? null;
    if (scores === null || scores.includes(null)) sums.set(key, sum);
    else
      sums.set(
        key,
        (scores as number[]).map((score, index) => score + (sum?.[index] ?? 0)),
      );
  }
  return new Map([...sums].map(([key, sum]) => [key, sum === null ? "none" : decide(sum)]));
}

function decide(sums: readonly number[]): Decision {
  const most = Math.max(...sums);
  const first = sums.indexOf(most);
  return sums.lastIndexOf(most) === first ? first : "tie";
}
