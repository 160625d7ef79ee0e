/** One sample's vote. Scores are in the original order; null where the sample failed or gave a response no score. */
export interface Ballot {
  scores: readonly (number | null)[] | null;
  meta: number | null;
}

export type Aggregate = "sum" | "mean";

export interface TallyOptions {
  /** `sum` is Eq. 14; `mean` divides by how many ballots scored the response. */
  aggregate?: Aggregate;
  /** How many ballots, those with the highest meta score, enter the vote. Default half of all ballots if any has a meta
   * score, else all. */
  kMeta?: number;
}

export interface Tally {
  /** One value for each response; null if a response was scored by no counted ballot. */
  scores: number[] | null;
  /** Mean score of each response over the counted ballots; null where there is none. */
  means: (number | null)[];
  /** Indices of the ballots that entered the vote, ascending. */
  counted: number[];
  /** Ballots that have scores. */
  valid: number;
}

/** Adds up the ballots (Eq. 14), after the meta RM's choice. A pairwise vote is a ballot of one 1 and zeros: then the sum is
 * the majority count. */
export function tally(ballots: readonly Ballot[], responses: number, options: TallyOptions = {}): Tally {
  const { aggregate = "sum", kMeta } = options;
  const valid = [...ballots.keys()].filter((index) => ballots[index]!.scores !== null);
  const counted = keepBest(ballots, valid, kMeta);
  const sums = new Array<number>(responses).fill(0);
  const counts = new Array<number>(responses).fill(0);
  for (const index of counted) {
    for (const [response, score] of ballots[index]!.scores!.entries()) {
      if (score === null) continue;
      sums[response]! += score;
      counts[response]! += 1;
    }
  }
  const means = sums.map((sum, response) => (counts[response]! > 0 ? sum / counts[response]! : null));
  const complete = counts.every((count) => count > 0);
  return {
    scores: complete ? (aggregate === "sum" ? sums : (means as number[])) : null,
    means,
    counted,
    valid: valid.length,
  };
}

/** How many ballots the meta RM lets through by default: the paper's k/2. */
export function defaultKMeta(k: number): number {
  return Math.max(1, Math.floor(k / 2));
}

/** A ballot without a meta score ranks behind all that have one; of equals the earlier one is kept. */
function keepBest(ballots: readonly Ballot[], valid: readonly number[], kMeta: number | undefined): number[] {
  const rated = valid.some((index) => ballots[index]!.meta !== null);
  if (!rated) return [...valid];
  const rank = (index: number) => ballots[index]!.meta ?? Number.NEGATIVE_INFINITY;
  const best = [...valid].sort((left, right) => {
    const [a, b] = [rank(left), rank(right)];
    return a === b ? left - right : a > b ? -1 : 1;
  });
  return best.slice(0, kMeta ?? defaultKMeta(ballots.length)).sort((left, right) => left - right);
}

/** Indices that share the highest value. */
export function winners(scores: readonly number[]): number[] {
  const top = Math.max(...scores);
  return [...scores.keys()].filter((index) => scores[index] === top);
}
