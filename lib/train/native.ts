/** What the addon offers for training. */
export interface NativeTraining {
  Trainer: {
    create(options: NativeTrainerOptions & NewModelOptions): Promise<NativeTrainer>;
    /**
     * Llama, Qwen 2, Qwen 3 or Gemma 2, or a checkpoint. With `lora` the model of any type stays as it is, and adapters beside it are
     * trained. Rejects with UNSUPPORTED_MODEL, naming what cannot be trained.
     */
    open(options: NativeTrainerOptions & { path: string; lora?: LoraOptions }): Promise<NativeTrainer>;
  };
  /** Fits a linear head by binary cross-entropy. `states` holds `width` numbers for each label in [0, 1]. */
  fitScoreHead(
    states: Float32Array,
    labels: Float32Array,
    width: number,
    options: { iterations?: number; learningRate?: number; weightDecay?: number },
  ): Promise<{ weight: Float32Array; bias: number; loss: number }>;
  /**
   * Group-relative advantages of rewards, group after group: less the group's mean, divided by the deviation of the group (the
   * sample's, plus 1e-4), of the whole batch, or by nothing. Equal rewards in a group give 0.
   */
  groupAdvantages(rewards: Float64Array, groupSize: number, scale: AdvantageScale): Float64Array;
  /** Width of the states of a GGUF model that a head reads. */
  stateWidth(modelPath: string): Promise<number>;
  writeScoreHead(path: string, head: ScoreHeadFile): Promise<void>;
}

export interface ScoreHeadFile {
  weight: Float32Array;
  bias: number;
  kind: "meta" | "reward";
  /** SHA-256 (hex) of the model file whose states the head reads. */
  backbone: string;
}

/** Where weights, gradients, moments and activations lie and are computed: "gpu" is the first GPU that ggml finds. */
export type TrainingDevice = "cpu" | "gpu";

export interface NativeTrainerOptions {
  /** Default "cpu". "gpu" rejects with NO_GPU where there is none. */
  device?: TrainingDevice;
  /** Workers on a CPU that share a batch. Results depend on it in the last bits. */
  threads?: number;
  microBatchTokens?: number;
  beta1?: number;
  beta2?: number;
  epsilon?: number;
  weightDecay?: number;
  /** Norm the gradient is clipped to; 0 turns clipping off. */
  clipNorm?: number;
}

/** Low-rank adapters: W x + alpha / rank * B (A x) with A and B trained, for matrices W of the layers. */
export interface LoraOptions {
  rank: number;
  alpha: number;
  /** Parts of a layer: attn_q, attn_k, attn_v, attn_output, ffn_gate, ffn_up, ffn_down. Default: all. */
  targets?: string[];
  /** Of A's start; B starts at 0. Default 0. */
  seed?: number;
  /** An adapter or its checkpoint to go on from, of the same rank, alpha and targets. */
  adapter?: string;
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

export type AdvantageScale = "group" | "batch" | "none";

/** Sampled completions and what they were worth. Numbers of tokens are those of all completions, end to end. */
export interface PolicyBatch extends TokenBatch {
  /** One for each sequence. */
  advantages: Float64Array;
  /** By the policy that sampled them, natural logarithm. Default: by the present weights, which is the same as long as they have
   * not been updated since, and saves a forward pass. */
  oldLogProbabilities?: Float32Array;
  /** By the frozen reference; left out only when beta is 0. */
  referenceLogProbabilities?: Float32Array;
  /** 0 for completion tokens that do not count. Default: all count. */
  mask?: Uint8Array;
}

/** The GRPO loss of a token: -min(r A, clip(r) A) + beta (e^d - d - 1), r = exp(policy - old), d = reference - policy. */
export interface GrpoOptions {
  /** Weight of the KL penalty. Default 0.08, the paper's for 27B. */
  beta?: number;
  /** The ratio is clipped to [1 - epsilon, 1 + epsilonHigh]. Default 0.2, and epsilonHigh as epsilon. */
  epsilon?: number;
  epsilonHigh?: number;
  /** Over what the tokens' losses are averaged. Default "grpo": each sequence, then the batch. "bnpo": the batch's tokens.
   * "dr_grpo": sequences times maxCompletionTokens. "dapo": totalTokens, or the batch's tokens. */
  normalization?: "grpo" | "bnpo" | "dr_grpo" | "dapo";
  maxCompletionTokens?: number;
  totalTokens?: number;
  /** Of the sampling; the policy's logits are divided by it. Default 1. */
  temperature?: number;
}

/** Values before the update; means are over the tokens that count. */
export interface PolicyStepResult {
  loss: number;
  /** Estimate of KL(policy || reference), nats. */
  kl: number;
  /** Of the policy's distributions, nats. */
  entropy: number;
  /** Share of the tokens whose clipped ratio no longer moves the loss. */
  clipped: number;
  gradientNorm: number;
  tokens: number;
  completionTokens: number;
}

export interface StepResult {
  /** Mean negative log-likelihood of a completion token, in nats. */
  loss: number;
  gradientNorm: number;
  tokens: number;
  completionTokens: number;
}

/** What a scalar reward is learnt from. */
export interface RewardOptions {
  /** "bce": binary cross-entropy with labels (a meta RM, section 3.3 of the paper). "bradley_terry": -log sigmoid(chosen -
   * rejected) of sequences in pairs, the chosen one first. */
  loss: "bce" | "bradley_terry";
  /** 0 or 1 for each sequence; only for "bce". */
  labels?: Float32Array;
  /** Whose state of each sequence the head reads. Default: the last token's. */
  positions?: Int32Array;
}

/** Values before the update. */
export interface RewardStepResult {
  /** Mean over the sequences or pairs, nats. */
  loss: number;
  /** Share of the rewards on their label's side of 0, or of the chosen above their rejected. Equal is wrong. */
  accuracy: number;
  gradientNorm: number;
  tokens: number;
}

/** Answers one call at a time: a second call before the first has answered throws BUSY. */
export interface NativeTrainer {
  readonly info: {
    /** ggml's name for it: CPU, CUDA0. */
    device: string;
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
  /** One update by the GRPO loss. Rejects with INVALID_ARGUMENT or LOSS_NOT_FINITE, the weights as they were. */
  policyStep(batch: PolicyBatch, options: GrpoOptions, learningRate: number): Promise<PolicyStepResult>;
  /** Natural log-probabilities of all completion tokens under softmax(logits / temperature). */
  logProbabilities(batch: TokenBatch, temperature: number): Promise<Float32Array>;
  evaluate(batch: TokenBatch): Promise<StepResult>;
  /** Final-norm states of one position in each sequence, one after the other. */
  hiddenStates(batch: TokenBatch, positions: Int32Array): Promise<Float32Array>;
  /** One update of all weights and of a scalar head on the final-norm state, which is zero at first. Rejects with
   * INVALID_ARGUMENT or LOSS_NOT_FINITE, the weights as they were. */
  rewardStep(batch: TokenBatch, options: RewardOptions, learningRate: number): Promise<RewardStepResult>;
  /** The head's value for each sequence. Rejects with NO_HEAD before the first `rewardStep`, as `saveHead` does. */
  rewards(batch: TokenBatch, options?: Pick<RewardOptions, "positions">): Promise<Float32Array>;
  /** Writes the head file that the engine loads; `backbone` is the SHA-256 (hex) of the saved model. */
  saveHead(path: string, options: Pick<ScoreHeadFile, "kind" | "backbone">): Promise<void>;
  /** The model; with `lora` the adapters alone, for llama.cpp to load beside the model. */
  save(path: string, type: "f32" | "f16" | "q8_0"): Promise<void>;
  /** The model with its adapters added to its matrices. */
  saveMerged(path: string, type: "f32" | "f16" | "q8_0"): Promise<void>;
  saveCheckpoint(path: string, note: string): Promise<void>;
}
