import type { JudgedItem } from "../benchmark.js";
import type { Estimate } from "../statistics.js";
import { type Measure, rightOne } from "./measure.js";
import { share } from "./position.js";

/** The paper's rule for pairwise judges of more than two responses, over items with one right response: it wins every pair it
 * is in, each by the sum over the samples. `accuracy` asks for less: that it gets most in all its pairs together. */
export type EveryPair = Estimate;

/** Whether the right response wins every pair it is in; null where pairs were not judged, or not one response is right. */
export function winsEveryPair(item: JudgedItem): boolean | null {
  const right = rightOne(item);
  if (right === null || item.samples.every(({ pairs }) => pairs === undefined)) return null;
  const leads = new Map<number, number>();
  for (const { pair, scores } of item.samples.flatMap(({ pairs = [] }) => pairs)) {
    const side = pair.indexOf(right);
    if (side < 0) continue;
    const other = pair[1 - side]!;
    leads.set(other, (leads.get(other) ?? 0) + scores[side]! - scores[1 - side]!);
  }
  return leads.size === item.n - 1 && [...leads.values()].every((lead) => lead > 0);
}

export class PairMeasure implements Measure<EveryPair> {
  #items = 0;
  #right = 0;

  add(item: JudgedItem): void {
    const won = winsEveryPair(item);
    if (won === null) return;
    this.#items++;
    if (won) this.#right++;
  }

  result(): EveryPair {
    return share(this.#right, this.#items);
  }
}
