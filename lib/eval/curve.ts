import type { SampleRecord } from "../records.js";
import { creditOfVote, type TiePolicy, type Unvoted } from "../vote/metrics.js";
import { type Aggregate, tally } from "../vote/tally.js";
import type { Aggregator, Benchmark, JudgedItem } from "./benchmark.js";
import { type Interval, wilson } from "./statistics.js";

export interface CurvePoint {
  /** Votes over the first k samples of each item, or over all of one that was decided with fewer. */
  k: number;
  /** Whether the meta RM chose half of them. */
  meta: boolean;
  /** Over labelled items. */
  accuracy: number | null;
  /** How many these are. */
  items: number;
  interval: Interval | null;
  /** The benchmark's headline. */
  headline: number | null;
  headlineInterval: Interval | null;
  /** Generated for one item with k samples; null where the records do not say. */
  tokensPerItem: number | null;
}

export interface CurveOptions {
  ties: TiePolicy;
  unvoted: Unvoted;
  aggregate: Aggregate;
  /** Of the draws of `ties: "random"`. */
  seed: number;
  /** The ks. Default: powers of two, and as many samples as were asked for of the first item. */
  sizes?: readonly number[];
}

interface Variant {
  k: number;
  meta: boolean;
  aggregator: Aggregator;
  sum: number;
  items: number;
}

/** Powers of two below `most`, then `most`. */
export function curveSizes(most: number): number[] {
  const sizes: number[] = [];
  for (let k = 1; k < most; k *= 2) sizes.push(k);
  return [...sizes, most];
}

/** Every smaller k from the samples of the largest: an item's first k samples, as if only they had been drawn. */
export class Curve {
  readonly #variants: Variant[] = [];
  readonly #tokens = new Map<number, { sum: number; items: number }>();
  #sizes: readonly number[] | undefined;
  #rated = false;

  constructor(
    private readonly benchmark: Benchmark,
    private readonly options: CurveOptions,
  ) {
    this.#sizes = options.sizes;
  }

  /** `samples` are all that may vote, of `asked` that may have been drawn; the first item with any decides how far the curve
   * goes. */
  add(item: JudgedItem, samples: readonly SampleRecord[], position: number, asked = samples.length): void {
    if (samples.length === 0) return;
    this.#sizes ??= curveSizes(asked);
    this.#rated ||= samples.some(({ meta }) => meta !== null);
    for (const k of this.#sizes) {
      const drawn = samples.slice(0, k);
      this.#count(this.#variant(k, false), item, drawn.map(withoutMeta), position);
      this.#count(this.#variant(k, true), item, drawn, position);
      this.#countTokens(k, drawn);
    }
  }

  #variant(k: number, meta: boolean): Variant {
    const known = this.#variants.find((variant) => variant.k === k && variant.meta === meta);
    if (known !== undefined) return known;
    const variant = { k, meta, aggregator: this.benchmark.aggregator(), sum: 0, items: 0 };
    this.#variants.push(variant);
    return variant;
  }

  #count(variant: Variant, item: JudgedItem, samples: SampleRecord[], position: number): void {
    const { aggregate, seed } = this.options;
    const votes = tally(samples, item.n, { aggregate });
    const points = creditOfVote(votes.scores, item, this.options, seed, position);
    variant.aggregator.add({ ...item, tally: votes, credit: points, samples });
    if (points === null) return;
    variant.sum += points;
    variant.items++;
  }

  #countTokens(k: number, samples: readonly SampleRecord[]): void {
    if (samples.some(({ tokens }) => tokens === undefined)) return;
    const total = this.#tokens.get(k) ?? { sum: 0, items: 0 };
    this.#tokens.set(k, total);
    total.items++;
    total.sum += samples.reduce((sum, { tokens }) => sum + tokens!, 0);
  }

  points(): CurvePoint[] {
    return this.#variants
      .filter(({ meta }) => this.#rated || !meta)
      .map(({ k, meta, aggregator, sum, items }) => {
        const [headline] = aggregator.scores();
        const tokens = this.#tokens.get(k);
        return {
          k,
          meta,
          accuracy: items === 0 ? null : sum / items,
          items,
          interval: items === 0 ? null : wilson(sum / items, items),
          headline: headline?.value ?? null,
          headlineInterval: headline?.interval ?? null,
          tokensPerItem: tokens === undefined ? null : tokens.sum / tokens.items,
        };
      });
  }
}

function withoutMeta(sample: SampleRecord): SampleRecord {
  return { ...sample, meta: null };
}
