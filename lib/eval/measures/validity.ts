import type { JudgedItem } from "../benchmark.js";
import { type Interval, wilson } from "../statistics.js";
import type { Measure } from "./measure.js";

export interface Validity {
  samples: number;
  /** Samples without scores. */
  invalid: number;
  /** Null without samples. */
  invalidShare: number | null;
  interval: Interval | null;
  /** Why, with counts; most frequent first. `unknown` where the record does not say. */
  reasons: Record<string, number>;
  /** Single scores that are missing in samples which have others: refused or unreadable for one response. */
  missingScores: number;
}

export class ValidityMeasure implements Measure<Validity> {
  #samples = 0;
  #invalid = 0;
  #missing = 0;
  readonly #reasons = new Map<string, number>();

  add({ samples }: JudgedItem): void {
    for (const { scores, reason = "unknown" } of samples) {
      this.#samples++;
      if (scores === null) {
        this.#invalid++;
        this.#reasons.set(reason, (this.#reasons.get(reason) ?? 0) + 1);
      } else {
        for (const score of scores) if (score === null) this.#missing++;
      }
    }
  }

  result(): Validity {
    const share = this.#samples === 0 ? null : this.#invalid / this.#samples;
    return {
      samples: this.#samples,
      invalid: this.#invalid,
      invalidShare: share,
      interval: share === null ? null : wilson(share, this.#samples),
      reasons: Object.fromEntries([...this.#reasons].sort((left, right) => right[1] - left[1])),
      missingScores: this.#missing,
    };
  }
}
