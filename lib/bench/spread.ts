/** A median with its smallest and largest value. */
export interface Spread {
  median: number;
  spread: [number, number];
  n: number;
}

export function spreadOf(values: readonly number[]): Spread {
  if (values.length === 0) throw new RangeError("Expected at least one value");
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { median, spread: [sorted[0]!, sorted.at(-1)!], n: sorted.length };
}

/** The ratio of two times that were measured in turns, round by round: what slows a moment slows both. */
export function ratioOf(theirs: readonly number[], ours: readonly number[]): Spread {
  if (theirs.length !== ours.length) {
    throw new RangeError(`Expected as many rounds of both but received ${theirs.length} and ${ours.length}`);
  }
  return spreadOf(theirs.map((time, round) => time / ours[round]!));
}
