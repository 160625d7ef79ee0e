import { rocAuc } from "../vote/metrics.js";
import { type Interval, z95 } from "./statistics.js";

/** Scores of right and wrong responses, pooled for one ROC-AUC. Columns, as there may be many. */
export class AucSample {
  readonly #values: number[] = [];
  readonly #positive: boolean[] = [];
  readonly #clusters: number[] = [];

  /** Responses of one item share a `cluster` number. */
  add(value: number, positive: boolean, cluster: number): void {
    this.#values.push(value);
    this.#positive.push(positive);
    this.#clusters.push(cluster);
  }

  get size(): number {
    return this.#values.length;
  }

  /** Null if one class is empty. */
  area(): number | null {
    return rocAuc(this.#values, this.#positive);
  }

  /** 95% interval by the structural components of the area (DeLong), summed within clusters first (Obuchowski), as the
   * responses of one item depend on each other. Null if one class is empty or there is one cluster. */
  interval(): Interval | null {
    const [values, positive] = [this.#values, this.#positive];
    const order = Uint32Array.from(values.keys()).sort((left, right) => values[left]! - values[right]!);
    const positives = positive.filter(Boolean).length;
    const negatives = values.length - positives;
    if (positives === 0 || negatives === 0) return null;
    const components = new Float64Array(values.length);
    let area = 0;
    let [positivesBelow, negativesBelow] = [0, 0];
    for (let start = 0; start < order.length; ) {
      let end = start;
      let here = 0;
      while (end < order.length && values[order[end]!] === values[order[start]!]) {
        if (positive[order[end]!]) here++;
        end++;
      }
      const others = end - start - here;
      const beaten = (negativesBelow + others / 2) / negatives;
      const losing = (positives - positivesBelow - here / 2) / positives;
      for (const index of order.subarray(start, end)) components[index] = positive[index] ? beaten : losing;
      area += (here * beaten) / positives;
      positivesBelow += here;
      negativesBelow += others;
      start = end;
    }
    return this.#robust(area, components, positives, negatives);
  }

  #robust(area: number, components: Float64Array, positives: number, negatives: number): Interval | null {
    const influence = new Map<number, number>();
    for (const [index, component] of components.entries()) {
      const own = (component - area) / (this.#positive[index] ? positives : negatives);
      const cluster = this.#clusters[index]!;
      influence.set(cluster, (influence.get(cluster) ?? 0) + own);
    }
    const clusters = influence.size;
    if (clusters < 2) return null;
    let squares = 0;
    for (const value of influence.values()) squares += value * value;
    const spread = z95 * Math.sqrt((squares * clusters) / (clusters - 1));
    return [Math.max(0, area - spread), Math.min(1, area + spread)];
  }
}
