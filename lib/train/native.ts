/** What the addon offers for training. */
export interface NativeTraining {
  Trainer: {
    create(options: NativeTrainerOptions & NewModelOptions): Promise<NativeTrainer>;
    open(options: NativeTrainerOptions & { path: string }): Promise<NativeTrainer>;
  };
  /** Fits a linear head by binary cross-entropy. `states` holds `width` numbers for each label in [0, 1]. */
  fitScoreHead(
    states: Float32Array,
    labels: Float32Array,
    width: number,
    options: { iterations?: number; learningRate?: number; weightDecay?: number },
  ): Promise<{ weight: Float32Array; bias: number; loss: number }>;
  writeScoreHead(path: string, head: ScoreHeadFile): Promise<void>;
}

export interface ScoreHeadFile {
  weight: Float32Array;
  bias: number;
  kind: "meta" | "reward";
  /** SHA-256 (hex) of the model file whose states the head reads. */
  backbone: string;
}

export interface NativeTrainerOptions {
  /** Workers that share a batch. Results depend on it in the last bits. */
  threads?: number;
  microBatchTokens?: number;
  beta1?: number;
  beta2?: number;
  epsilon?: number;
  weightDecay?: number;
  /** Norm the gradient is clipped to; 0 turns clipping off. */
  clipNorm?: number;
}

export interface ModelShape {
  embedding: number;
  layers: number;
  heads: number;
  kvHeads: number;
  feedForward: number;
  context: number;
  ropeBase?: number;
  normEpsilon?: number;
}

export interface NewModelOptions {
  /** A GGUF file with the vocabulary and the chat template. */
  vocabularyPath: string;
  shape: ModelShape;
  seed: number;
  /** Tokens with the same number start at nearly the same embedding. */
  tokenGroups?: Int32Array;
}

/** Sequences end to end. */
export interface TokenBatch {
  tokens: Int32Array;
  lengths: Int32Array;
  /** Where each sequence's completion begins. */
  completions: Int32Array;
}

export interface StepResult {
  /** Mean negative log-likelihood of a completion token, in nats. */
  loss: number;
  gradientNorm: number;
  tokens: number;
  completionTokens: number;
}

/** Answers one call at a time: a second call before the first has answered throws BUSY. */
export interface NativeTrainer {
  readonly info: {
    architecture: string;
    vocabulary: number;
    embedding: number;
    layers: number;
    context: number;
    parameters: number;
    stepsDone: number;
    note: string;
    chatTemplate: string | null;
    bosToken: string | null;
    eosToken: string | null;
  };
  step(batch: TokenBatch, learningRate: number): Promise<StepResult>;
  evaluate(batch: TokenBatch): Promise<StepResult>;
  /** Final-norm states of one position in each sequence, one after the other. */
  hiddenStates(batch: TokenBatch, positions: Int32Array): Promise<Float32Array>;
  save(path: string, type: "f32" | "f16" | "q8_0"): Promise<void>;
  saveCheckpoint(path: string, note: string): Promise<void>;
}
