import { readParts } from "../../extract/parts.js";
import type { JudgedItem } from "../benchmark.js";
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
  longest: number;
  /** Samples by length: `count` of them have at least `from` and less than twice as many (1 for 0). */
  bins: { from: number; count: number }[];
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

const mostNames = 4000;
const shownNames = 40;

/** Distribution of scores, lengths of the judgements, and the principles they name. */
export class TextMeasure implements Measure<TextReport> {
  readonly #scores = new Map<number, ScoreCount>();
  readonly #bins = new Map<number, number>();
  readonly #lengths = { samples: 0, sum: 0, longest: 0, inTokens: true };
  readonly #principles = new Map<string, { name: string; count: number; weighted: number; weight: number }>();

  add({ samples, correct }: JudgedItem): void {
    for (const { scores, text, tokens } of samples) {
      for (const [index, score] of scores?.entries() ?? [])
        if (score !== null) this.#addScore(score, index, correct);
      if (tokens === undefined && text !== undefined) this.#lengths.inTokens = false;
      const length = tokens ?? text?.length;
      if (length !== undefined) this.#addLength(length);
      if (text !== undefined) this.#addPrinciples(text);
    }
  }

  #addScore(exact: number, index: number, correct: readonly number[] | null): void {
    const score = Math.round(10 * exact) / 10; // probabilities are all different
    const known = this.#scores.get(score) ?? { score, right: 0, wrong: 0, unlabelled: 0 };
    this.#scores.set(score, known);
    known[correct === null ? "unlabelled" : correct.includes(index) ? "right" : "wrong"]++;
  }

  #addLength(length: number): void {
    const from = length < 1 ? 0 : 2 ** Math.floor(Math.log2(length));
    this.#bins.set(from, (this.#bins.get(from) ?? 0) + 1);
    this.#lengths.samples++;
    this.#lengths.sum += length;
    this.#lengths.longest = Math.max(this.#lengths.longest, length);
  }

  #addPrinciples(text: string): void {
    for (const { name, weight } of readParts(text).principles) {
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
    const { samples, sum, longest, inTokens } = this.#lengths;
    const bins = [...this.#bins]
      .sort((left, right) => left[0] - right[0])
      .map(([from, count]) => ({ from, count }));
    const unit = inTokens ? "tokens" : "characters";
    return {
      scores: [...this.#scores.values()].sort((left, right) => left.score - right.score),
      lengths: samples === 0 ? null : { unit, samples, mean: sum / samples, longest, bins },
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
}
