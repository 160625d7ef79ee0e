/** The values of a step that tell a collapse. */
export interface Vitals {
  /** Share of the judgements without readable scores. */
  invalid: number;
  /** Nats per token. */
  kl: number;
  entropy: number;
}

export interface CollapseState {
  recent: Vitals[];
  /** Means over the first `window` steps, once there are as many. */
  start?: Vitals;
}

/** Steps that are averaged. */
const window = 10;
const largestInvalid = 0.5;
const largestKl = 1;
const smallestEntropyShare = 0.02;

/**
 * Watches for a policy that has stopped judging. It has collapsed when the mean of the last 10 steps shows more than half of the
 * judgements unreadable (and more than in the first 10), a KL to the reference of more than 1 nat per token, or an entropy
 * below 2% of the first 10 steps'.
 */
export class CollapseWatch {
  readonly #state: CollapseState;

  constructor(state: CollapseState = { recent: [] }) {
    this.#state = { ...state, recent: [...state.recent] };
  }

  get state(): CollapseState {
    return this.#state;
  }

  /** The reason to stop, if there is one. */
  add({ invalid, kl, entropy }: Vitals): string | undefined {
    const { recent } = this.#state;
    recent.push({ invalid, kl, entropy });
    if (recent.length > window) recent.shift();
    if (recent.length < window) return undefined;
    const mean = (value: (vitals: Vitals) => number) =>
      recent.reduce((sum, vitals) => sum + value(vitals), 0) / window;
    const now = { invalid: mean((v) => v.invalid), kl: mean((v) => v.kl), entropy: mean((v) => v.entropy) };
    this.#state.start ??= now;
    const { start } = this.#state;
    if (now.invalid > largestInvalid && now.invalid > start.invalid) {
      return `${Math.round(now.invalid * 100)}% of the judgements have no scores`;
    }
    if (now.kl > largestKl) return `the KL to the reference is ${now.kl.toFixed(2)} nats per token`;
    if (now.entropy < smallestEntropyShare * start.entropy) {
      return `the entropy fell from ${start.entropy.toPrecision(2)} to ${now.entropy.toPrecision(2)} nats per token`;
    }
    return undefined;
  }
}
