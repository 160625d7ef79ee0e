import { uniform } from "../vote/draw.js";
import { RocCounts } from "../vote/metrics.js";
import { type Interval, z95 } from "./statistics.js";

/** Items that the interval is estimated from: its width is then off by about 1%. */
const mostItems = 4000;

/** Scores of right and wrong responses, pooled for one ROC-AUC. The area is that of all of them; of many items, a random part
 * is kept for the interval. */
export class AucSample {
  readonly #counts = new RocCounts();
  readonly #kept: { values: readonly number[]; correct: readonly number[] }[] = [];
  #items = 0;

  /** The responses of one item: their scores, and the indices of the right ones. */
  add(values: readonly number[], correct: readonly number[]): void {
    for (const [index, value] of values.entries()) this.#counts.add(value, correct.includes(index));
    const position = this.#items++;
    const place = position < mostItems ? position : Math.floor(uniform(position) * this.#items);
    if (place < mostItems) this.#kept[place] = { values, correct };
  }

  get items(): number {
    return this.#items;
  }

  /** Null if one class is empty. */
  area(): number | null {
    return this.#counts.area();
  }

  /** 95% interval by the structural components of the area (DeLong), summed within items first (Obuchowski), as the responses
   * of one item depend on each other. Null if one class is empty or there is one item. */
  interval(): Interval | null {
    const area = this.area();
    if (area === null || this.#items < 2) return null;
    const { positives, negatives } = this.#counts;
    const shares = this.#counts.shares();
    let squares = 0;
    for (const { values, correct } of this.#kept) {
      const influence = values.reduce((sum, value, index) => {
        const { ofPositives, ofNegatives } = shares(value);
        const own = correct.includes(index)
          ? (ofNegatives - area) / positives
          : (1 - ofPositives - area) / negatives;
        return sum + own;
      }, 0);
      squares += influence * influence;
    }
    const all = (squares * this.#items) / this.#kept.length;
    const spread = z95 * Math.sqrt((all * this.#items) / (this.#items - 1));
    return [Math.max(0, area - spread), Math.min(1, area + spread)];
  }
}
