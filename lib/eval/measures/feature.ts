import { Credits } from "../aggregate.js";
import type { JudgedItem, Score } from "../benchmark.js";
import type { ItemFacts } from "../join.js";
import { type Estimate, Ratio } from "../statistics.js";
import type { Measure } from "./measure.js";
import { share } from "./position.js";

/** Bias towards responses that have more of a feature: characters, or markdown marks. */
export interface FeatureBias {
  /** Score points that a doubling of the feature goes along with, over all pairs of responses of an item: regression through
   * the origin of score differences on differences of log2(1 + feature). */
  slope: Estimate;
  /** Accuracy where the right response has more of the feature than any other, and where it has less. */
  accuracyRightMore: Estimate;
  accuracyRightLess: Estimate;
  /** The mean of these two: what the accuracy would be if having more were right half of the time. */
  accuracyBalanced: Estimate;
  /** How often the right response has more, of the items in which it has more or less: what the data itself says. */
  rightHasMore: Estimate;
}

export class FeatureMeasure implements Measure<FeatureBias> {
  readonly #slope = new Ratio();
  readonly #credits = new Credits();

  constructor(private readonly featureOf: (facts: ItemFacts) => readonly number[]) {}

  add({ tally, credit, correct, n }: JudgedItem, facts: ItemFacts): void {
    const values = this.featureOf(facts).map((value) => Math.log2(1 + value));
    if (n < 2 || tally.scores === null || values.length < n) return;
    this.#regress(values, tally.means as number[]);
    if (credit === null) return;
    const right = values.filter((_, index) => correct!.includes(index));
    const wrong = values.filter((_, index) => !correct!.includes(index));
    if (Math.min(...right) > Math.max(...wrong)) this.#credits.add("more", credit);
    else if (Math.max(...right) < Math.min(...wrong)) this.#credits.add("less", credit);
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
    this.#slope.add(xy, xx);
  }

  result(): FeatureBias {
    const [more, less] = ["more", "less"].map((name) => this.#credits.score(name));
    const both = more!.items > 0 && less!.items > 0;
    const balanced = this.#credits.plainMean("balanced", both ? ["more", "less"] : []);
    return {
      slope: this.#slope.estimate(),
      accuracyRightMore: toEstimate(more!),
      accuracyRightLess: toEstimate(less!),
      accuracyBalanced: toEstimate(balanced),
      rightHasMore: share(more!.items, more!.items + less!.items),
    };
  }
}

function toEstimate({ value, interval, items }: Score): Estimate {
  return { value, interval, count: items };
}
