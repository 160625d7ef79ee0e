import type { ItemSamples, RftSample } from "./rft_samples.js";

/** What became of judgements: each was kept, or dropped for one reason. */
export interface SampleCounts {
  sampled: number;
  kept: number;
  /** Of an item that was right without a hint every time. */
  tooEasy: number;
  /** Did not choose the best response alone, or not the label. */
  wrong: number;
  /** Had no scores. */
  unreadable: number;
}

export interface RejectionCounts {
  items: number;
  tooEasy: number;
  /** Items that do not fit the context. */
  tooLong: number;
  own: SampleCounts;
  hinted: SampleCounts;
}

/** A judgement to learn, and the index of its item. */
export interface KeptSample {
  index: number;
  sample: RftSample;
}

/**
 * The rejection of section 3.2 (Eq. 10; a tie is wrong): keeps what was right, except of items whose judgements without a hint
 * were all right. Without `rejection` everything is kept.
 */
export function reject(
  items: readonly ItemSamples[],
  rejection: boolean,
): { kept: KeptSample[]; counts: RejectionCounts } {
  const kept: KeptSample[] = [];
  const counts = { items: items.length, tooEasy: 0, tooLong: 0, own: noSamples(), hinted: noSamples() };
  for (const [index, { samples, tooLong }] of items.entries()) {
    if (tooLong !== undefined) counts.tooLong++;
    const easy = rejection && isTooEasy(samples);
    if (easy) counts.tooEasy++;
    for (const sample of samples) {
      const count = sample.hinted ? counts.hinted : counts.own;
      count.sampled++;
      const fate = easy ? "tooEasy" : rejection ? fateOf(sample) : "kept";
      count[fate]++;
      if (fate === "kept") kept.push({ index, sample });
    }
  }
  return { kept, counts };
}

/** Whether the judge was right every time without a hint. */
export function isTooEasy(samples: readonly RftSample[]): boolean {
  const own = samples.filter(({ hinted }) => !hinted);
  return own.length > 0 && own.every(({ reward }) => reward === 1);
}

function fateOf({ scores, reward }: RftSample): "kept" | "wrong" | "unreadable" {
  if (scores === null) return "unreadable";
  return reward === 1 ? "kept" : "wrong";
}

function noSamples(): SampleCounts {
  return { sampled: 0, kept: 0, tooEasy: 0, wrong: 0, unreadable: 0 };
}
