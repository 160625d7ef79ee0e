import type { NativeTrainer } from "../train/native.js";
import type { Completion, Message } from "../types.js";

/** How tokens are drawn. */
export interface Sampling {
  /** 0 takes the likeliest token. */
  temperature: number;
  /** 0: no limit. */
  topK: number;
  topP: number;
  minP: number;
  /** Whether temperature is applied before the cuts (as vLLM does) or after them (as llama.cpp does). */
  order: "temperature-first" | "temperature-last";
}

export interface SampleSpec {
  /** Index into the request's prompts. */
  prompt: number;
  /** The same seed and prompt give the same text. */
  seed: number;
  /** Not drawn but given: the sample has exactly these tokens (at least one), and ends for "length". */
  continuation?: Int32Array;
}

/** One query: its prompts, and the samples to draw from them. */
export interface SampleRequest {
  /** One conversation for each ordering of the responses. */
  prompts: Message[][];
  /** Tokens of the answer that are there already, after every prompt: samples go on behind them. */
  answer?: Int32Array;
  samples: SampleSpec[];
  sampling: Sampling;
  /** Whether the assistant's turn is opened at the end of the prompts. Default true. */
  opensAnswer?: boolean;
  /** Budget of one sample. 0 draws nothing: the completion is the head's value at the prompt's end (NO_HEAD without one). */
  maxTokens: number;
  /** Whether completions carry token ids and their log-probabilities: of the whole distribution at the sampling temperature,
   * at temperature 0 of the logits as they are. */
  logprobs: boolean;
  /** Ends a sample at the token that completes a match. Text between `open` and `close` is not searched. */
  stop?: { pattern: string; skip: { open: string; close: string } };
  /** What a separate meta RM reads before a completion, for each prompt. Default: the prompts. */
  metaPrompts?: Message[][];
}

export interface ScoreOptions {
  /** Tokens of the answer that are there already. */
  answer?: Int32Array;
  signal?: AbortSignal;
}

export interface RequestUsage {
  /** Summed over the samples. */
  promptTokens: number;
  /** After sharing; null if the engine cannot tell, as when other requests ran at the same time. */
  promptTokensComputed: number | null;
  /** What had been generated of samples that were given up, in tokens. Missing or null if the engine cannot tell. */
  abandonedTokens?: number | null;
  /** What a separate meta RM read, in tokens, summed over the samples. */
  metaTokens?: number;
}

export interface EngineInfo {
  model: string;
  description: string;
  architecture: string;
  parameters: number;
  sizeBytes: number;
  contextTokens: number;
  threads: number;
  /** Where the model runs: "cpu" or "gpu". */
  backend: string;
  /** What the addon was built for, and what of the CPU llama.cpp uses. This and the next five only of an engine on this machine. */
  build?: "cpu" | "cuda";
  instructions?: string[];
  /** The llama.cpp commit that was compiled in. */
  llamaCommit?: string;
  /** Copies of weights for faster products on the CPU: what multiplies with them (or why nothing does), how many matrices, bytes
   * beside the model, and the fewest rows of a batch that use them. */
  packedWeights?: { gemm: string; matrices: number; bytes: number; leastRows: number };
  /** The instructions with which attention over shared cells is computed, where llama.cpp does not compute it. */
  sharedAttention?: string;
  /** How sequences share the KV cache, and its size in tokens. */
  kv?: string;
  cacheTokens?: number;
  /** Whether completions carry a meta score. */
  hasHead: boolean;
  /** The day on which the threads, flash attention and tokens of a step in use were measured (`spct doctor --calibrate`). */
  calibrated?: string;
  /** What the head's value is: of a meta RM, or a reward. */
  headKind?: string;
  /** The separate meta RM, if there is one. */
  metaRm?: string;
}

/** Draws completions. Requests may overlap; an engine decodes them together. */
export interface Engine {
  readonly info: EngineInfo;
  /**
   * Calls `onCompletion` once for each sample, in the order they finish, then resolves. Rejects with a SpctError: CANCELLED
   * by the signal, CLOSED, CONTEXT_OVERFLOW, or what failed in the engine. `onCompletion` must not throw. `enough` gives up the
   * samples that have not finished, which is no failure: the request resolves then, their rows are free for others.
   */
  sample(
    request: SampleRequest,
    onCompletion: (completion: Completion) => void,
    signal?: AbortSignal,
    enough?: AbortSignal,
  ): Promise<RequestUsage>;
  /**
   * The natural log-probability of each continuation (at least one token) after the prompt and what is there of its answer,
   * under the whole distribution at temperature 1. The prompt is computed once. Rejects as `sample` does.
   */
  score(
    prompt: Message[],
    continuations: readonly Int32Array[],
    options?: ScoreOptions,
  ): Promise<Float64Array>;
  /** Tokens of plain text that goes on inside of an answer; its control tokens are taken apart. */
  tokenize(text: string): Promise<Int32Array>;
  /**
   * Takes a trainer's present weights, without a file, where the engine was loaded with `updatable`; only engines in this
   * process can. What the engine has begun ends with the old weights, requests made later start with the new ones. The trainer
   * is busy meanwhile. Rejects with NOT_UPDATABLE, WEIGHTS_MISMATCH, BUSY or CLOSED, the weights as they were.
   */
  loadWeights?(trainer: NativeTrainer): Promise<void>;
  /** The same for the weights of the head. Rejects with NO_HEAD, HEAD_MISMATCH or CLOSED. */
  loadHead?(head: { weight: Float32Array; bias: number }): Promise<void>;
  /** Rejects what runs with CLOSED and frees the model. May be called again. */
  close(): Promise<void>;
}
