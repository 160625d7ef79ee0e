export interface Schedule {
  steps: number;
  peak: number;
  /** Steps over which the rate rises to its peak. */
  warmup: number;
  /** What is left of the peak at the last step. */
  floor: number;
}

/** Learning rate of a step (counted from 0): a straight rise, then half a cosine down. */
export function learningRate({ steps, peak, warmup, floor }: Schedule, step: number): number {
  if (step < warmup) return (peak * (step + 1)) / warmup;
  const progress = Math.min(1, (step - warmup) / Math.max(1, steps - warmup));
  return peak * (floor + (1 - floor) * 0.5 * (1 + Math.cos(Math.PI * progress)));
}
