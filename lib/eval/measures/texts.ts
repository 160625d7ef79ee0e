import { readPrinciples } from "../../extract/parts.js";
import type { JudgedItem } from "../benchmark.js";
import { type Interval, Ratio } from "../statistics.js";
import type { Measure } from "./measure.js";

export interface ScoreCount {
  score: number;
  /** Times that a right, a wrong and an unlabelled response got it. */
  right: number;
  wrong: number;
  unlabelled: number;
}

export interface LengthReport {
  unit: "tokens" | "characters";
  samples: number;
  mean: number;
  meanInterval: Interval | null;
  longest: number;
  /** Samples by length: `count` of them have at least `from` and less than `to`; four bins to a doubling. */
  bins: { from: number; to: number; count: number }[];
}

export interface PrincipleCount {
  name: string;
  count: number;
  /** Over the times it had one; null if never. In the judge's unit. */
  meanWeight: number | null;
}

export interface TextReport {
  scores: ScoreCount[];
  /** Null where the records have neither tokens nor texts. */
  lengths: LengthReport | null;
  /** Most frequent first. */
  principles: PrincipleCount[];
}

const binsToADoubling = 4;
const mostNames = 4000;
const shownNames = 40;

/** Distribution of scores, lengths of the judgements, and the principles they name. */
export class TextMeasure implements Measure<TextReport> {
  readonly #scores = new Map<number, ScoreCount>();
  readonly #bins = new Map<number, number>();
  readonly #lengths = { samples: 0, longest: 0, inTokens: true };
  readonly #mean = new Ratio();
  readonly #principles = new Map<string, { name: string; count: number; weighted: number; weight: number }>();

  add({ samples, correct }: JudgedItem): void {
    let [sum, count] = [0, 0];
    for (const { scores, text, tokens } of samples) {
      for (const [index, score] of scores?.entries() ?? [])
        if (score !== null) this.#addScore(score, index, correct);
      if (tokens === undefined && text !== undefined) this.#lengths.inTokens = false;
      const length = tokens ?? text?.length;
      if (length !== undefined) {
        this.#addLength(length);
        sum += length;
        count++;
      }
      if (text !== undefined) this.#addPrinciples(text);
    }
    this.#mean.add(sum, count);
  }

  #addScore(exact: number, index: number, correct: readonly number[] | null): void {
    const score = Math.round(10 * exact) / 10; // probabilities are all different
    const known = this.#scores.get(score) ?? { score, right: 0, wrong: 0, unlabelled: 0 };
    this.#scores.set(score, known);
    known[correct === null ? "unlabelled" : correct.includes(index) ? "right" : "wrong"]++;
  }

  #addLength(length: number): void {
    const bin = length < 1 ? -1 : Math.floor(binsToADoubling * Math.log2(length) + 1e-9);
    this.#bins.set(bin, (this.#bins.get(bin) ?? 0) + 1);
    this.#lengths.samples++;
    this.#lengths.longest = Math.max(this.#lengths.longest, length);
  }

  #addPrinciples(text: string): void {
    for (const { name, weight } of readPrinciples(text)) {
      const key = name.toLowerCase().slice(0, 60);
      const known = this.#principles.get(key);
      if (known === undefined && this.#principles.size >= mostNames) continue;
      const entry = known ?? { name: name.slice(0, 60), count: 0, weighted: 0, weight: 0 };
      this.#principles.set(key, entry);
      entry.count++;
      if (weight === undefined) continue;
      entry.weighted++;
      entry.weight += weight;
    }
  }

  result(): TextReport {
    const { samples, longest, inTokens } = this.#lengths;
    const { value: mean, interval: meanInterval } = this.#mean.estimate();
    const unit = inTokens ? "tokens" : "characters";
    return {
      scores: [...this.#scores.values()].sort((left, right) => left.score - right.score),
      lengths:
        mean === null ? null : { unit, samples, mean, meanInterval, longest, bins: this.#lengthBins() },
      principles: [...this.#principles.values()]
        .sort((left, right) => right.count - left.count || (left.name < right.name ? -1 : 1))
        .slice(0, shownNames)
        .map(({ name, count, weighted, weight }) => ({
          name,
          count,
          meanWeight: weighted === 0 ? null : weight / weighted,
        })),
    };
  }

  /** From the first bin that has samples to the last, those without any included; bins without an integer in them left out. */
  #lengthBins(): LengthReport["bins"] {
    const found = [...this.#bins.keys()];
    const [first, last] = [Math.min(...found), Math.max(...found)];
    const edge = (bin: number) => (bin < 0 ? 0 : Math.ceil(2 ** (bin / binsToADoubling) - 1e-9));
    return Array.from({ length: last - first + 1 }, (_, index) => first + index)
      .map((bin) => ({ from: edge(bin), to: edge(bin + 1), count: this.#bins.get(bin) ?? 0 }))
      .filter(({ from, to }) => to > from);
  }
}
