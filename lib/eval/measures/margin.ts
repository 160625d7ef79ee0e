import { rocAuc } from "../../vote/metrics.js";
import type { JudgedItem } from "../benchmark.js";
import { type Interval, wilson } from "../statistics.js";
import type { Measure } from "./measure.js";

export interface MarginBin {
  /** Margins from here (included) up to `to`; null: no end. */
  from: number;
  to: number | null;
  items: number;
  accuracy: number | null;
  interval: Interval | null;
}

export interface AbstentionPoint {
  /** Share of the items that are answered: those with the largest margins. */
  coverage: number;
  /** The smallest margin among them. */
  margin: number;
  accuracy: number;
  interval: Interval;
}

export interface MarginReport {
  /** Accuracy by the distance between the best and the second-best mean score. */
  calibration: MarginBin[];
  /** How well the margin tells right from wrong votes, as ROC-AUC; null if all are alike. */
  auc: number | null;
  abstention: AbstentionPoint[];
}

const bins = [0, 0.25, 0.5, 1, 1.5, 2, 3, 4, 6];

export class MarginMeasure implements Measure<MarginReport> {
  readonly #margins: number[] = [];
  readonly #credits: number[] = [];

  add({ tally, credit }: JudgedItem): void {
    if (credit === null || tally.scores === null) return;
    const [first, second] = [...(tally.means as number[])].sort((left, right) => right - left);
    this.#margins.push(first! - second!);
    this.#credits.push(credit);
  }

  result(): MarginReport {
    const [margins, credits] = [this.#margins, this.#credits];
    const decided = [...margins.keys()].filter((index) => credits[index] === 0 || credits[index] === 1);
    return {
      calibration: this.#calibration(),
      auc: rocAuc(
        decided.map((index) => margins[index]!),
        decided.map((index) => credits[index] === 1),
      ),
      abstention: this.#abstention(),
    };
  }

  #calibration(): MarginBin[] {
    const sums = bins.map(() => ({ items: 0, sum: 0 }));
    for (const [index, margin] of this.#margins.entries()) {
      // Means of the same scores may differ in the last digit.
      const bin = sums[bins.findLastIndex((from) => margin >= from - 1e-9)]!;
      bin.items++;
      bin.sum += this.#credits[index]!;
    }
    return sums.map(({ items, sum }, index) => ({
      from: bins[index]!,
      to: bins[index + 1] ?? null,
      items,
      accuracy: items === 0 ? null : sum / items,
      interval: items === 0 ? null : wilson(sum / items, items),
    }));
  }

  #abstention(): AbstentionPoint[] {
    const order = [...this.#margins.keys()].sort(
      (left, right) => this.#margins[right]! - this.#margins[left]!,
    );
    const points: AbstentionPoint[] = [];
    let sum = 0;
    let next = 1;
    for (const [rank, index] of order.entries()) {
      sum += this.#credits[index]!;
      const answered = rank + 1;
      if (answered < Math.ceil((order.length * next) / 20)) continue;
      while (answered >= Math.ceil((order.length * next) / 20)) next++;
      const accuracy = sum / answered;
      const margin = this.#margins[index]!;
      points.push({
        coverage: answered / order.length,
        margin,
        accuracy,
        interval: wilson(accuracy, answered)!,
      });
    }
    return points;
  }
}
