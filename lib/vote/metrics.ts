import { uniform } from "./draw.js";
import { winners } from "./tally.js";

/** What a tie at the top is worth: nothing (the rule in training, Eq. 10 and 11), the share of the tied that are right, or one
 * of the tied drawn by the seed (the paper's rule in evaluation; its expected value is `share`). */
export type TiePolicy = "lose" | "share" | "random";

/** In [0, 1]: how right it is to choose by `scores` when `correct` are the right choices. `keys` name the draw. */
export function credit(
  scores: readonly number[],
  correct: readonly number[],
  ties: TiePolicy,
  ...keys: number[]
): number {
  const top = winners(scores);
  const right = top.filter((index) => correct.includes(index)).length;
  if (top.length === 1) return right;
  if (ties === "lose") return 0;
  if (ties === "share") return right / top.length;
  return correct.includes(top[Math.floor(uniform(...keys) * top.length)]!) ? 1 : 0;
}

/** What an item without a vote is worth: nothing, or it is left out. */
export type Unvoted = "wrong" | "skip";

/** What the choice of a vote is worth under a policy, in [0, 1]; null where no choice is right or none is wrong, or the policy
 * leaves the item out. `scores` is null where there is no vote, `correct` where it is unknown. */
export function creditOfVote(
  scores: readonly number[] | null,
  { correct, n }: { correct: readonly number[] | null; n: number },
  { ties, unvoted }: { ties: TiePolicy; unvoted: Unvoted },
  ...keys: number[]
): number | null {
  if (correct === null || correct.length === 0 || correct.length >= n) return null;
  if (scores === null) return unvoted === "wrong" ? 0 : null;
  return credit(scores, correct, ties, ...keys);
}

/** Area under the ROC curve of `values` for telling positives from negatives; ties count one half. Null if one class is
 * empty. */
export function rocAuc(values: readonly number[], positive: readonly boolean[]): number | null {
  const counts = new RocCounts();
  for (const [index, value] of values.entries()) counts.add(value, positive[index]!);
  return counts.area();
}

/** How many different values are told apart before they are rounded. */
const mostValues = 2 ** 17;
const roundedDigits = 4;

/** The same area, of values that come one by one. Keeps how often each of them came: from the 131,073rd different value on,
 * all are rounded to four digits, so that memory has an end. */
export class RocCounts {
  #counts = new Map<number, { positives: number; negatives: number }>();
  #rounded = false;

  add(value: number, positive: boolean): void {
    this.#count(this.#key(value))[positive ? "positives" : "negatives"]++;
    if (this.#counts.size > mostValues && !this.#rounded) this.#round();
  }

  #key(value: number): number {
    return this.#rounded ? Number(value.toPrecision(roundedDigits)) : value;
  }

  #count(key: number) {
    const count = this.#counts.get(key) ?? { positives: 0, negatives: 0 };
    this.#counts.set(key, count);
    return count;
  }

  #round(): void {
    const exact = this.#counts;
    this.#rounded = true;
    this.#counts = new Map();
    for (const [value, { positives, negatives }] of exact) {
      const count = this.#count(this.#key(value));
      count.positives += positives;
      count.negatives += negatives;
    }
  }

  #sorted() {
    return [...this.#counts].sort(([left], [right]) => left - right);
  }

  get positives(): number {
    return [...this.#counts.values()].reduce((sum, { positives }) => sum + positives, 0);
  }

  get negatives(): number {
    return [...this.#counts.values()].reduce((sum, { negatives }) => sum + negatives, 0);
  }

  /** The same whatever the order of the values: all sums are of whole and half counts. */
  area(): number | null {
    const { positives, negatives } = this;
    if (positives === 0 || negatives === 0) return null;
    let [won, negativesBelow] = [0, 0];
    for (const [, here] of this.#sorted()) {
      won += here.positives * (negativesBelow + here.negatives / 2);
      negativesBelow += here.negatives;
    }
    return won / (positives * negatives);
  }

  /** Of a value that was added: the share of the positives and that of the negatives that are below it, equal ones counting
   * one half. */
  shares(): (value: number) => { ofPositives: number; ofNegatives: number } {
    const { positives, negatives } = this;
    const shares = new Map<number, { ofPositives: number; ofNegatives: number }>();
    let [positivesBelow, negativesBelow] = [0, 0];
    for (const [value, here] of this.#sorted()) {
      shares.set(value, {
        ofPositives: (positivesBelow + here.positives / 2) / positives,
        ofNegatives: (negativesBelow + here.negatives / 2) / negatives,
      });
      positivesBelow += here.positives;
      negativesBelow += here.negatives;
    }
    return (value) => shares.get(this.#key(value))!;
  }
}
