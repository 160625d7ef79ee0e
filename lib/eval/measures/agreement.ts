import type { SampleRecord } from "../../records.js";
import type { JudgedItem } from "../benchmark.js";
import { type Estimate, Ratio } from "../statistics.js";
import { type Measure, pick } from "./measure.js";

/** Kappas: how far choices agree beyond chance, where chance chooses each of n responses equally often:
 * (agreement - 1/n) / (1 - 1/n). Cohen's kappa would be 0 where the right response always stands first, as many data sets have
 * it. */
export interface Agreement {
  /** Of the vote with the label. */
  withLabel: Estimate;
  /** Of two samples of one item with each other. */
  amongSamples: Estimate;
  /** The same of samples that were shown the responses in the same order. */
  sameOrder: Estimate;
  /** Standard deviation of a response's score over the samples of its item, in score points. */
  scoreDeviation: Estimate;
}

export class AgreementMeasure implements Measure<Agreement> {
  readonly #label = new Ratio();
  readonly #samples = new Ratio();
  readonly #sameOrder = new Ratio();
  readonly #variance = new Ratio();

  add({ n, tally, credit, samples }: JudgedItem): void {
    this.#addVariance(samples, n);
    if (n < 2) return;
    if (credit !== null && tally.scores !== null) this.#label.add(credit - 1 / n, 1 - 1 / n);
    addPicks(this.#samples, [samples], n);
    addPicks(this.#sameOrder, byOrder(samples), n);
  }

  #addVariance(samples: readonly SampleRecord[], n: number): void {
    let [squares, freedom] = [0, 0];
    for (let response = 0; response < n; response++) {
      const scores = samples.flatMap((sample) => sample.scores?.[response] ?? []);
      if (scores.length < 2) continue;
      const mean = scores.reduce((sum, score) => sum + score, 0) / scores.length;
      squares += scores.reduce((sum, score) => sum + (score - mean) ** 2, 0);
      freedom += scores.length - 1;
    }
    this.#variance.add(squares, freedom);
  }

  result(): Agreement {
    const { value, interval, count } = this.#variance.estimate();
    const root = (variance: number) => Math.sqrt(Math.max(0, variance));
    return {
      withLabel: this.#label.estimate(),
      amongSamples: this.#samples.estimate(),
      sameOrder: this.#sameOrder.estimate(),
      scoreDeviation: {
        value: value === null ? null : root(value),
        interval: interval === null ? null : [root(interval[0]), root(interval[1])],
        count,
      },
    };
  }
}

/** Adds how many pairs of choices within each group agree, beyond chance. */
function addPicks(ratio: Ratio, groups: readonly (readonly SampleRecord[])[], n: number): void {
  let [agreed, pairs] = [0, 0];
  for (const group of groups) {
    const counts = new Array<number>(n).fill(0);
    let picks = 0;
    for (const { scores } of group) {
      const chosen = pick(scores);
      if (chosen === null) continue;
      counts[chosen]!++;
      picks++;
    }
    agreed += counts.reduce((sum, count) => sum + count * (count - 1), 0);
    pairs += picks * (picks - 1);
  }
  if (pairs > 0) ratio.add(agreed / pairs - 1 / n, 1 - 1 / n);
}

function byOrder(samples: readonly SampleRecord[]): SampleRecord[][] {
  const groups = new Map<string, SampleRecord[]>();
  for (const sample of samples) {
    const key = sample.order?.join() ?? "";
    const known = groups.get(key);
    if (known === undefined) groups.set(key, [sample]);
    else known.push(sample);
  }
  return [...groups.values()];
}
