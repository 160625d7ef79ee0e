import type { JudgedItem } from "../benchmark.js";
import type { ItemFacts } from "../join.js";
import { type Interval, z95 } from "../statistics.js";
import type { Measure } from "./measure.js";
import { share } from "./position.js";

/** Bias towards responses that have more of a feature: characters, or markdown marks. */
export interface FeatureBias {
  /** Score points that a doubling of the feature goes along with, over all pairs of responses of an item. */
  slope: number | null;
  interval: Interval | null;
  /** Accuracy where the right response has more of the feature than any other, and where it has less. */
  accuracyRightMore: ReturnType<typeof share>;
  accuracyRightLess: ReturnType<typeof share>;
  /** How often the right response has more, of the items in which it has more or less: what the data itself says. */
  rightHasMore: ReturnType<typeof share>;
}

/** Regression through the origin of score differences on differences of log2(1 + feature); the interval is robust to the
 * dependence of pairs within an item. */
export class FeatureMeasure implements Measure<FeatureBias> {
  #xx = 0;
  #xy = 0;
  readonly #products = { xyxy: 0, xyxx: 0, xxxx: 0, items: 0 };
  readonly #more = { credit: 0, items: 0 };
  readonly #less = { credit: 0, items: 0 };

  constructor(private readonly featureOf: (facts: ItemFacts) => readonly number[]) {}

  add({ tally, credit, correct, n }: JudgedItem, facts: ItemFacts): void {
    if (n < 2 || tally.scores === null) return;
    const values = this.featureOf(facts).map((value) => Math.log2(1 + value));
    this.#regress(values, tally.means as number[]);
    if (credit === null) return;
    const right = values.filter((_, index) => correct!.includes(index));
    const wrong = values.filter((_, index) => !correct!.includes(index));
    const place = Math.min(...right) > Math.max(...wrong) ? this.#more : this.#less;
    if (place === this.#less && Math.max(...right) >= Math.min(...wrong)) return;
    place.items++;
    place.credit += credit;
  }

  #regress(values: readonly number[], means: readonly number[]): void {
    let [xx, xy] = [0, 0];
    for (let first = 0; first < values.length; first++) {
      for (let second = first + 1; second < values.length; second++) {
        const x = values[first]! - values[second]!;
        xx += x * x;
        xy += x * (means[first]! - means[second]!);
      }
    }
    this.#xx += xx;
    this.#xy += xy;
    this.#products.xyxy += xy * xy;
    this.#products.xyxx += xy * xx;
    this.#products.xxxx += xx * xx;
    if (xx > 0) this.#products.items++;
  }

  result(): FeatureBias {
    const slope = this.#xx === 0 ? null : this.#xy / this.#xx;
    const [more, less] = [this.#more, this.#less];
    return {
      slope,
      interval: slope === null ? null : this.#interval(slope),
      accuracyRightMore: share(more.credit, more.items),
      accuracyRightLess: share(less.credit, less.items),
      rightHasMore: share(more.items, more.items + less.items),
    };
  }

  #interval(slope: number): Interval | null {
    const { xyxy, xyxx, xxxx, items } = this.#products;
    if (items < 2) return null;
    const squares = Math.max(0, xyxy - 2 * slope * xyxx + slope * slope * xxxx);
    const spread = (z95 * Math.sqrt((squares * items) / (items - 1))) / this.#xx;
    return [slope - spread, slope + spread];
  }
}
