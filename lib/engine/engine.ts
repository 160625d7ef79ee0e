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

/** One query: its prompts, and the samples to draw from them. */
export interface SampleRequest {
  /** One conversation for each ordering of the responses. */
  prompts: Message[][];
  /** `prompt` is an index into `prompts`. The same seed and prompt give the same text. */
  samples: { prompt: number; seed: number }[];
  sampling: Sampling;
  /** Whether the assistant's turn is opened at the end of the prompts. Default true. */
  opensAnswer?: boolean;
  /** Budget of one sample. With 0 nothing is drawn: completions only carry the head's value at the end of their prompt. */
  maxTokens: number;
  /** Whether completions carry token ids and their log-probabilities. */
  logprobs: boolean;
  /** Ends a sample at the token that completes a match. Text between `open` and `close` is not searched. */
  stop?: { pattern: string; skip: { open: string; close: string } };
}

export interface RequestUsage {
  /** Summed over the samples. */
  promptTokens: number;
  /** After sharing; null if the engine cannot tell, as when other requests ran at the same time. */
  promptTokensComputed: number | null;
}

export interface EngineInfo {
  model: string;
  description: string;
  architecture: string;
  parameters: number;
  sizeBytes: number;
  contextTokens: number;
  threads: number;
  backend: string;
  /** Whether completions carry a meta score. */
  hasHead: boolean;
}

/** Draws completions. Requests may overlap; an engine decodes them together. */
export interface Engine {
  readonly info: EngineInfo;
  /**
   * Calls `onCompletion` once for each sample, in the order they finish, then resolves. Rejects with a SpctError: CANCELLED
   * by the signal, CLOSED, CONTEXT_OVERFLOW, or what failed in the engine. `onCompletion` must not throw.
   */
  sample(
    request: SampleRequest,
    onCompletion: (completion: Completion) => void,
    signal?: AbortSignal,
  ): Promise<RequestUsage>;
  /** Rejects what runs with CLOSED and frees the model. May be called again. */
  close(): Promise<void>;
}
