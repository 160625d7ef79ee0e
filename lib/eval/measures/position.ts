import { type Decision, decisionsByOrder } from "../aggregate.js";
import type { JudgedItem } from "../benchmark.js";
import { type Estimate, wilson } from "../statistics.js";
import { type Measure, pick, rightOne } from "./measure.js";

/** Bias towards a position, over items with two responses. */
export interface PositionBias {
  /** Items whose orders, each voting by itself, choose the same response. 1 is best. */
  consistency: Estimate;
  /** Of the items whose orders disagree, those that chose the first shown in both, less those that chose the second. In
   * [-1, 1]; 0 is best. */
  preference: Estimate;
  /** Samples that choose the response shown first, of those that choose one. 0.5 is best where orders are balanced. */
  firstShown: Estimate;
  /** Accuracy of single samples by where the right response was shown. */
  accuracyRightFirst: Estimate;
  accuracyRightSecond: Estimate;
}

export class PositionMeasure implements Measure<PositionBias> {
  #items = 0;
  #same = 0;
  #first = 0;
  #second = 0;
  readonly #picks = { first: 0, all: 0 };
  readonly #rightAt = [
    { right: 0, all: 0 },
    { right: 0, all: 0 },
  ];

  add(item: JudgedItem): void {
    if (item.n !== 2) return;
    this.#addOrders(decisionsByOrder(item));
    const right = rightOne(item);
    for (const { order, scores } of item.samples) {
      const chosen = pick(scores);
      if (chosen === null) continue;
      const shownFirst = order?.[0] ?? 0;
      this.#picks.all++;
      if (chosen === shownFirst) this.#picks.first++;
      if (right === null) continue;
      const place = this.#rightAt[shownFirst === right ? 0 : 1]!;
      place.all++;
      if (chosen === right) place.right++;
    }
  }

  #addOrders(decisions: Map<string, Decision>): void {
    const given = decisions.get("0,1");
    const swapped = decisions.get("1,0");
    if (typeof given !== "number" || typeof swapped !== "number") return;
    this.#items++;
    if (given === swapped) this.#same++;
    else if (given === 0) this.#first++;
    else this.#second++;
  }

  result(): PositionBias {
    return {
      consistency: share(this.#same, this.#items),
      preference: signed(share(this.#first, this.#first + this.#second)),
      firstShown: share(this.#picks.first, this.#picks.all),
      accuracyRightFirst: share(this.#rightAt[0]!.right, this.#rightAt[0]!.all),
      accuracyRightSecond: share(this.#rightAt[1]!.right, this.#rightAt[1]!.all),
    };
  }
}

/** A share p in [0, 1] → 2p - 1. */
function signed({ value, interval, count }: Estimate): Estimate {
  return {
    value: value === null ? null : 2 * value - 1,
    interval: interval === null ? null : [2 * interval[0] - 1, 2 * interval[1] - 1],
    count,
  };
}

export function share(part: number, count: number): Estimate {
  const value = count === 0 ? null : part / count;
  return { value, interval: value === null ? null : wilson(value, count), count };
}
