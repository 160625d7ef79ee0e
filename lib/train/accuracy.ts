/** Accuracy of a judge that knows nothing is 1/2 on pairs; the interval says how sure the measured one is. */
export interface Accuracy {
  accuracy: number;
  /** Wilson score interval at 95 %. */
  ci: [number, number];
  n: number;
}

/** `credit` may count a tie as part of a success; the interval treats the sum as a count. */
export function accuracyOf(credit: number, n: number): Accuracy {
  if (!(n > 0) || credit < 0 || credit > n) {
    throw new RangeError(`Expected a credit between 0 and n > 0 but received ${credit} of ${n}`);
  }
  const z = 1.959964;
  const share = credit / n;
  const center = (share + (z * z) / (2 * n)) / (1 + (z * z) / n);
  const half = (z / (1 + (z * z) / n)) * Math.sqrt((share * (1 - share)) / n + (z * z) / (4 * n * n));
  return { accuracy: share, ci: [center - half, center + half], n };
}
