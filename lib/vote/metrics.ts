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

/** The same area, of values that come one by one; keeps how often each of them came. */
export class RocCounts {
  readonly #counts = new Map<number, { positives: number; negatives: number }>();

  add(value: number, positive: boolean): void {
    const count = this.#counts.get(value) ?? { positives: 0, negatives: 0 };
    this.#counts.set(value, count);
    count[positive ? "positives" : "negatives"]++;
  }

  area(): number | null {
    let [won, positives, negatives] = [0, 0, 0];
    for (const [, here] of [...this.#counts].sort(([left], [right]) => left - right)) {
      won += here.positives * (negatives + here.negatives / 2);
      positives += here.positives;
      negatives += here.negatives;
    }
    return positives === 0 || negatives === 0 ? null : won / (positives * negatives);
  }
}
