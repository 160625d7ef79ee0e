import { AucSample } from "../auc.js";
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
  aucInterval: Interval | null;
  abstention: AbstentionPoint[];
}

/** Points of the curve of abstention, at most. */
const steps = 20;
const bins = [0, 0.25, 0.5, 1, 1.5, 2, 3, 4, 6];

/** Margins that differ in the fourth decimal are the same: means of the same scores may differ in the last digit, and so memory
 * does not grow with the items. */
const margin = (exact: number) => Math.round(exact * 1e4) / 1e4;

export class MarginMeasure implements Measure<MarginReport> {
  readonly #counts = new Map<number, { items: number; sum: number }>();
  readonly #decided = new AucSample();
  #items = 0;

  add({ tally, credit }: JudgedItem): void {
    if (credit === null || tally.scores === null) return;
    const [first, second] = [...(tally.means as number[])].sort((left, right) => right - left);
    const own = margin(first! - second!);
    const count = this.#counts.get(own) ?? { items: 0, sum: 0 };
    this.#counts.set(own, count);
    count.items++;
    count.sum += credit;
    this.#items++;
    if (Number.isInteger(credit)) this.#decided.add([own], credit === 1 ? [0] : []);
  }

  result(): MarginReport {
    return {
      calibration: this.#calibration(),
      auc: this.#decided.area(),
      aucInterval: this.#decided.interval(),
      abstention: this.#abstention(),
    };
  }

  #calibration(): MarginBin[] {
    const sums = bins.map(() => ({ items: 0, sum: 0 }));
    for (const [own, { items, sum }] of this.#counts) {
      const bin = sums[bins.findLastIndex((from) => own >= from)]!;
      bin.items += items;
      bin.sum += sum;
    }
    return sums.map(({ items, sum }, index) => ({
      from: bins[index]!,
      to: bins[index + 1] ?? null,
      items,
      accuracy: items === 0 ? null : sum / items,
      interval: items === 0 ? null : wilson(sum / items, items),
    }));
  }

  /** Items of the same margin are answered together. */
  #abstention(): AbstentionPoint[] {
    const points: AbstentionPoint[] = [];
    let [sum, answered, next] = [0, 0, 1];
    for (const [own, here] of [...this.#counts].sort(([left], [right]) => right - left)) {
      sum += here.sum;
      answered += here.items;
      if (answered < Math.ceil((this.#items * next) / steps)) continue;
      while (answered >= Math.ceil((this.#items * next) / steps)) next++;
      const accuracy = sum / answered;
      points.push({
        coverage: answered / this.#items,
        margin: own,
        accuracy,
        interval: wilson(accuracy, answered)!,
      });
    }
    return points;
  }
}
