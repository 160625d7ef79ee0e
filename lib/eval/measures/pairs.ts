import type { JudgedItem } from "../benchmark.js";
import { type Measure, rightOne } from "./measure.js";
import { share } from "./position.js";

/** The paper's rule for pairwise judges of more than two responses, over items with one right response: it wins every pair it
 * is in, each by the sum over the samples. `accuracy` asks for less: that it gets most in all its pairs together. */
export type EveryPair = ReturnType<typeof share>;

export class PairMeasure implements Measure<EveryPair> {
  #items = 0;
  #right = 0;

  add(item: JudgedItem): void {
    const right = rightOne(item);
    if (right === null || item.samples.every(({ pairs }) => pairs === undefined)) return;
    const leads = new Map<number, number>();
    for (const { pair, scores } of item.samples.flatMap(({ pairs = [] }) => pairs)) {
      const side = pair.indexOf(right);
      if (side < 0) continue;
      const other = pair[1 - side]!;
      leads.set(other, (leads.get(other) ?? 0) + scores[side]! - scores[1 - side]!);
    }
    this.#items++;
    if (leads.size === item.n - 1 && [...leads.values()].every((lead) => lead > 0)) this.#right++;
  }

  result(): EveryPair {
    return share(this.#right, this.#items);
  }
}
