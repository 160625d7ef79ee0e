import { isRefusal } from "../../extract/refusal.js";
import type { JudgedItem } from "../benchmark.js";
import type { Estimate, Interval } from "../statistics.js";
import type { Measure } from "./measure.js";
import { share } from "./position.js";

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
  /** Samples without scores whose text opens as a refusal, of all samples whose text is recorded. */
  refusals: Estimate;
}

export class ValidityMeasure implements Measure<Validity> {
  #samples = 0;
  #invalid = 0;
  #missing = 0;
  readonly #refusals = { count: 0, texts: 0 };
  readonly #reasons = new Map<string, number>();

  add({ samples }: JudgedItem): void {
    for (const { scores, reason = "unknown", text } of samples) {
      this.#samples++;
      if (text !== undefined) this.#refusals.texts++;
      if (scores === null && text !== undefined && isRefusal(text)) this.#refusals.count++;
      if (scores === null) {
        this.#invalid++;
        this.#reasons.set(reason, (this.#reasons.get(reason) ?? 0) + 1);
      } else {
        for (const score of scores) if (score === null) this.#missing++;
      }
    }
  }

  result(): Validity {
    const { value, interval } = share(this.#invalid, this.#samples);
    return {
      samples: this.#samples,
      invalid: this.#invalid,
      invalidShare: value,
      interval,
      reasons: Object.fromEntries([...this.#reasons].sort((left, right) => right[1] - left[1])),
      missingScores: this.#missing,
      refusals: share(this.#refusals.count, this.#refusals.texts),
    };
  }
}
