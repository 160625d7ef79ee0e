/** One turn of a conversation. */
export interface Message {
  role: string;
  content: string;
}

/** A criterion, with its share of the judgement. The unit of `weight` is the judge's: per cent, or points. */
export interface Principle {
  name: string;
  weight?: number;
  description?: string;
}

/** What is to be judged. */
export interface Query {
  /** The question, or the conversation whose last turn the responses answer. */
  query: string | readonly Message[];
  /** At least one; none empty. */
  responses: readonly string[];
  /** A correct answer, for judging against. */
  reference?: string;
  /** Principles to judge by; `false` asks for a judgement without principles. Otherwise the judge makes its own. */
  principles?: string | readonly Principle[] | false;
  /** Training data only: tells the judge which response is best (index into `responses`) and how clearly. */
  hint?: { best: number; strength?: string };
}

/** What the box at the end of a judgement holds. */
export type AnswerKind =
  /** One score from 1 to 10 for each response, in the order shown. */
  | "scores"
  /** The number of the winning response. A sample's scores are then 1 for it and 0 for the others. */
  | "winner"
  /** 1 or 0 for a single response: correct or not. */
  | "correctness";

/** Why generation ended: a complete box, the model's end token, or the token budget. */
export type FinishReason = "stop" | "eos" | "length";

/** One generation, as an engine hands it over. */
export interface Completion {
  /** Index into the request's samples. */
  sample: number;
  text: string;
  /** How many tokens were generated. */
  tokens: number;
  /** The generated tokens and their natural log-probabilities, if they were asked for. */
  tokenIds?: Int32Array;
  logprobs?: Float32Array;
  reason: FinishReason;
  /** The head's value at the end of the text; higher is better. Null without a head. */
  meta: number | null;
}

/** Why a text has no scores. */
export type ExtractionFailure =
  /** No complete box and no bare bracket list. */
  | "no-scores"
  /** The deciding list does not have one number for each response. */
  | "wrong-count"
  /** The deciding box holds something that is not a number. */
  | "not-a-number"
  /** A number outside of the scale. */
  | "out-of-range"
  /** The text ends inside a think block. */
  | "unfinished-thought";

/** One judgement: a text and what was read from it. */
export interface Sample {
  /** `order[p]` is the index of the response shown at position p. */
  order: number[];
  /** In the original order of the responses; null if the sample failed. */
  scores: number[] | null;
  reason?: ExtractionFailure;
  /** Value of the meta RM; higher is better. Null without one, and where a separate one has no room for the text. */
  meta: number | null;
  /** Whether the sample entered the vote. */
  counted: boolean;
  text: string;
  seed: number;
  finish: FinishReason;
  tokens: number;
  logprobs?: Float32Array;
  tokenIds?: Int32Array;
}

export interface Usage {
  /** Prompt tokens summed over the samples: what k independent requests would have read. */
  promptTokens: number;
  /** Prompt tokens that were computed, after sharing. Null if the engine cannot tell. */
  promptTokensComputed: number | null;
  /** Those of samples that are not in the verdict too, as far as they are known. */
  generatedTokens: number;
  /** Only with `earlyStop`: tokens of samples that were begun and are not in the verdict. Null if the engine cannot tell. */
  abandonedTokens?: number | null;
  /** Only with a separate meta RM: tokens that it read, summed over the samples. */
  metaTokens?: number;
  milliseconds: number;
}

/** The outcome of k judgements of one query. */
export interface Verdict {
  /** Index of the response with the highest score; among equals one is drawn by the seed. Null if no sample was valid. */
  best: number | null;
  /** All responses that share the highest score, when there are several. */
  ties: number[];
  /** Sums over the counted samples (Eq. 14), in the original order of the responses. Null if no sample was valid. */
  scores: number[] | null;
  /** Samples whose text had scores. */
  valid: number;
  /** Samples that were asked for. */
  k: number;
  /** Samples that were drawn: fewer than k if the vote was decided before. */
  drawn: number;
  /** How many of the samples drawn the meta RM lets into the vote; null without one. */
  kMeta: number | null;
  /** Those drawn. */
  samples: Sample[];
  usage: Usage;
}
