import { kMetaOf } from "./decided.js";
import { creditOfVote, RocCounts, type TiePolicy, type Unvoted } from "./metrics.js";
import { type Aggregate, type Ballot, tally, winners } from "./tally.js";

/** A judged item, as far as voting looks at it. */
export interface VotedItem {
  subset?: string;
  n: number;
  /** Index or indices of the correct responses; null if unknown. */
  label: number | number[] | null;
  /** How many samples were asked for, if there are fewer as the vote was decided before. */
  k?: number;
  samples: readonly Ballot[];
}

export interface SummaryOptions {
  /** Vote over the first k samples; default all. */
  k?: number;
  kMeta?: number;
  ties?: TiePolicy;
  /** Whether an item without a vote is left out of the accuracy or wrong in it. Default left out. */
  unvoted?: Unvoted;
  aggregate?: Aggregate;
  /** Of the draws of `ties: "random"`. */
  seed?: number;
}

export interface Figures {
  /** Items seen. */
  items: number;
  /** Items without a vote, as a response never got a score. They are in no other figure, but for the accuracy if they count
   * as wrong. */
  skipped: number;
  /** Items that accuracy is the mean over: labelled, with a right and a wrong choice, and voted unless they count as wrong. */
  labelled: number;
  /** In [0, 1]; null without labelled items. */
  accuracy: number | null;
  /** Voted items whose highest score is shared. */
  ties: number;
  /** ROC-AUC of each response's mean score against being correct, pooled over labelled items; null if there is only one class. */
  auc: number | null;
}

export interface Summary extends Figures {
  bySubset: Record<string, Figures>;
}

/** How many of the samples drawn of an item enter its vote, where kMeta of all that were asked for would: the same share. */
export function kMetaOfBeginning(
  { k: asked, samples }: Pick<VotedItem, "k" | "samples">,
  { k, kMeta }: Pick<SummaryOptions, "k" | "kMeta">,
): number | undefined {
  if (asked === undefined || kMeta === undefined) return kMeta;
  const whole = Math.min(asked, k ?? asked);
  return kMetaOf(Math.min(samples.length, whole), { k: whole, kMeta });
}

/** Votes on every item and counts how often the vote is right. */
export class Summarizer {
  readonly #options: Required<Pick<SummaryOptions, "ties" | "unvoted" | "aggregate" | "seed">> &
    SummaryOptions;
  readonly #all = new Counts();
  readonly #subsets = new Map<string, Counts>();
  #next = 0;

  constructor(options: SummaryOptions = {}) {
    this.#options = { ties: "share", unvoted: "skip", aggregate: "sum", seed: 0, ...options };
  }

  add(item: VotedItem): void {
    const targets = [this.#all, this.#subset(item.subset)];
    const position = this.#next++;
    const { k, kMeta, aggregate, seed } = this.#options;
    const samples = item.samples.slice(0, k);
    const result = tally(samples, item.n, { aggregate, kMeta: kMetaOfBeginning(item, { k, kMeta }) });
    const correct = item.label === null ? null : [item.label].flat();
    const points = creditOfVote(result.scores, { correct, n: item.n }, this.#options, seed, position);
    for (const counts of targets) {
      counts.items++;
      if (points !== null) counts.addPoints(points);
    }
    if (result.scores === null) {
      for (const counts of targets) counts.skipped++;
      return;
    }
    const tied = winners(result.scores).length > 1;
    for (const counts of targets) {
      if (tied) counts.ties++;
      if (correct !== null) counts.addResponses(result.means as number[], correct);
    }
  }

  summary(): Summary {
    const names = [...this.#subsets.keys()].sort();
    const bySubset = Object.fromEntries(names.map((name) => [name, this.#subsets.get(name)!.figures()]));
    return { ...this.#all.figures(), bySubset };
  }

  #subset(name = "all"): Counts {
    const known = this.#subsets.get(name) ?? new Counts();
    this.#subsets.set(name, known);
    return known;
  }
}

class Counts {
  items = 0;
  skipped = 0;
  ties = 0;
  #labelled = 0;
  #points = 0;
  readonly #roc = new RocCounts();

  addPoints(points: number): void {
    this.#labelled++;
    this.#points += points;
  }

  addResponses(means: readonly number[], correct: readonly number[]): void {
    for (const [index, mean] of means.entries()) this.#roc.add(mean, correct.includes(index));
  }

  figures(): Figures {
    const { items, skipped, ties } = this;
    const labelled = this.#labelled;
    const accuracy = labelled === 0 ? null : this.#points / labelled;
    return { items, skipped, labelled, accuracy, ties, auc: this.#roc.area() };
  }
}
