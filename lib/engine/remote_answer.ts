import { SpctError } from "../errors.js";
import type { FinishReason } from "../types.js";

/** One chat completion, as far as it is used. */
export interface ChatAnswer {
  text: string;
  finish: FinishReason;
  tokens: number;
  promptTokens: number;
  /** The generated tokens, if the server gives their log-probabilities. */
  pieces: { token: string; logprob: number }[] | undefined;
}

/** Throws REMOTE_FAILURE for what is no chat completion. */
export function readAnswer(body: unknown): ChatAnswer {
  const { choices, usage } = objectOf(body, "a chat completion");
  const choice = objectOf(Array.isArray(choices) ? choices[0] : undefined, "a chat completion with a choice");
  const { content = null } = objectOf(choice.message, "a chat completion with a message");
  if (content !== null && typeof content !== "string")
    throw unexpected("a message whose content is a text", content);
  const { completion_tokens, prompt_tokens } = (usage ?? {}) as Record<string, unknown>;
  return {
    text: content ?? "", // a server that sets thoughts apart sends none if the budget ends inside of them
    finish: choice.finish_reason === "length" ? "length" : "eos",
    tokens: countOf(completion_tokens),
    promptTokens: countOf(prompt_tokens),
    pieces: piecesOf(choice.logprobs),
  };
}

/** The models of a server; a context of unknown size counts as endless. */
export function readModels(body: unknown): { id: string; contextTokens: number }[] {
  const { data } = objectOf(body, "a list of models");
  if (!Array.isArray(data)) throw unexpected("a list of models", body);
  return data.map((model) => {
    const { id, max_model_len, meta } = objectOf(model, "a model");
    const trained = (meta as Record<string, unknown> | null | undefined)?.n_ctx_train;
    const context = [max_model_len, trained].find((size) => typeof size === "number" && size > 0);
    return { id: String(id), contextTokens: (context as number | undefined) ?? Number.MAX_SAFE_INTEGER };
  });
}

function piecesOf(logprobs: unknown): ChatAnswer["pieces"] {
  const { content } = (logprobs ?? {}) as Record<string, unknown>;
  if (!Array.isArray(content)) return undefined;
  return content.map((piece) => {
    const { token, logprob } = objectOf(piece, "a token with its log-probability");
    if (typeof token !== "string" || typeof logprob !== "number")
      throw unexpected("a token with its log-probability", piece);
    return { token, logprob };
  });
}

function countOf(value: unknown): number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 ? value : 0;
}

function objectOf(value: unknown, expected: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw unexpected(expected, value);
  return value as Record<string, unknown>;
}

function unexpected(expected: string, received: unknown): SpctError {
  const excerpt = JSON.stringify(received)?.slice(0, 300);
  return new SpctError("REMOTE_FAILURE", `Expected ${expected} but received ${excerpt}`);
}
