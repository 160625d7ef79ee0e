import { uniform } from "../vote/draw.js";

/** Lower and upper end of a 95% confidence interval. */
export type Interval = [number, number];

/** Standard errors on each side of a 95% interval. */
export const z95 = 1.959963984540054;

/** Wilson's score interval of a share. `mean` may be a mean of values in [0, 1], such as shared ties: their variance is
 * at most that of zeros and ones with the same mean, so the interval is then conservative. Null without values. */
export function wilson(mean: number, count: number): Interval | null {
  if (count === 0) return null;
  const z2 = z95 * z95;
  const centre = (mean + z2 / (2 * count)) / (1 + z2 / count);
  const spread = (z95 / (1 + z2 / count)) * Math.sqrt((mean * (1 - mean)) / count + z2 / (4 * count * count));
  return [Math.max(0, centre - spread), Math.min(1, centre + spread)];
}

export function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let index = 0; index < values.length; index++) sum += values[index]!;
  return sum / values.length;
}

/** A figure of some items. */
export interface Estimate {
  /** Null without items. */
  value: number | null;
  /** Null with fewer than two items. */
  interval: Interval | null;
  /** What it is of. */
  count: number;
}

/** Σ u / Σ v over items, with an interval that holds whatever within an item depends on each other. */
export class Ratio {
  #u = 0;
  #v = 0;
  readonly #products = { uu: 0, uv: 0, vv: 0 };
  #items = 0;

  /** An item with v = 0 says nothing. */
  add(u: number, v: number): void {
    if (v === 0) return;
    this.#u += u;
    this.#v += v;
    this.#products.uu += u * u;
    this.#products.uv += u * v;
    this.#products.vv += v * v;
    this.#items++;
  }

  estimate(): Estimate {
    const items = this.#items;
    if (items === 0) return { value: null, interval: null, count: 0 };
    const value = this.#u / this.#v;
    if (items === 1) return { value, interval: null, count: 1 };
    const { uu, uv, vv } = this.#products;
    const squares = Math.max(0, uu - 2 * value * uv + value * value * vv);
    const spread = (z95 * Math.sqrt((squares * items) / (items - 1))) / this.#v;
    return { value, interval: [value - spread, value + spread], count: items };
  }
}

/** Values that are resampled among themselves, and how much their mean weighs. */
export interface Stratum {
  values: ArrayLike<number>;
  weight: number;
}

/** Σ weight · mean / Σ weight over the strata that have values; null if none has. */
export function weightedMean(strata: readonly Stratum[]): number | null {
  const present = strata.filter(({ values }) => values.length > 0);
  const weight = present.reduce((sum, stratum) => sum + stratum.weight, 0);
  if (present.length === 0) return null;
  return present.reduce((sum, stratum) => sum + stratum.weight * mean(stratum.values), 0) / weight;
}

/** Percentile bootstrap of a weighted mean of strata, each resampled by itself. */
export function bootstrapStrata(strata: readonly Stratum[], seed = 0): Interval | null {
  const present = strata.filter(({ values }) => values.length > 0);
  const total = present.reduce((sum, { values }) => sum + values.length, 0);
  if (total === 0) return null;
  const weight = present.reduce((sum, stratum) => sum + stratum.weight, 0);
  const random = generator(seed);
  return percentiles(resamples(total), () => {
    let score = 0;
    for (const { values, weight: own } of present) {
      let sum = 0;
      for (let draw = 0; draw < values.length; draw++) sum += values[(random() * values.length) | 0]!;
      score += (own * sum) / values.length;
    }
    return score / weight;
  });
}

/** Percentile bootstrap of any statistic of `count` items, given as the indices of a resample. */
export function bootstrap(
  count: number,
  statistic: (indices: Int32Array) => number,
  seed = 0,
): Interval | null {
  if (count === 0) return null;
  const random = generator(seed);
  const indices = new Int32Array(count);
  return percentiles(resamples(count), () => {
    for (let draw = 0; draw < count; draw++) indices[draw] = (random() * count) | 0;
    return statistic(indices);
  });
}

/** Enough resamples for the percentiles, fewer where many items make each of them dear and the interval narrow. */
function resamples(items: number): number {
  return Math.round(Math.min(2000, Math.max(200, 2e7 / items)));
}

function percentiles(count: number, draw: () => number): Interval {
  const values = Float64Array.from({ length: count }, draw).sort();
  return [values[Math.floor(0.025 * (count - 1))]!, values[Math.ceil(0.975 * (count - 1))]!];
}

/** Marsaglia's xorshift on 32 bits: numbers in [0, 1). */
function generator(seed: number): () => number {
  let state = Math.floor(uniform(seed, 7) * 2 ** 32) | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

/** Exact two-sided McNemar test: the probability of a split at least as uneven as `first` against `second` among the items
 * on which two judges differ, if neither were better. */
export function mcnemar(first: number, second: number): number {
  const differing = first + second;
  if (differing === 0) return 1;
  const fewer = Math.min(first, second);
  let logTerm = -differing * Math.LN2;
  let tail = Math.exp(logTerm);
  for (let count = 1; count <= fewer; count++) {
    logTerm += Math.log((differing - count + 1) / count);
    tail += Math.exp(logTerm);
  }
  return Math.min(1, 2 * tail);
}

/** Cohen's kappa of a square table of counts; null if chance alone would agree always, or without items. */
export function cohenKappa(table: readonly (readonly number[])[]): number | null {
  const size = table.length;
  let total = 0;
  let agreed = 0;
  const rows = new Array<number>(size).fill(0);
  const columns = new Array<number>(size).fill(0);
  for (let row = 0; row < size; row++) {
    for (let column = 0; column < size; column++) {
      const count = table[row]![column]!;
      total += count;
      rows[row]! += count;
      columns[column]! += count;
      if (row === column) agreed += count;
    }
  }
  const chance = rows.reduce((sum, row, index) => sum + (row / total) * (columns[index]! / total), 0);
  return total === 0 || chance === 1 ? null : (agreed / total - chance) / (1 - chance);
}
