import type { Vocabulary } from "./vocabulary.js";

/**
 * The user turn of the compact template (lib/prompt/templates/compact.jinja) for a query and its responses. `ending` asks for
 * another answer than principles, critique and scores.
 */
export function compactPrompt(
  query: string,
  responses: readonly string[],
  ending: "" | `Best: ${number}\n` | "Scores only:\n" | "Winner:\n" = "",
): string {
  const shown = responses.map((response, index) => `Response ${index + 1}:\n${response}\n`).join("");
  return `Query:\n${query}\n${shown}${ending}`;
}

/** Tokens of a conversation up to the point where the judge begins to answer. */
export function promptTokens(vocabulary: Vocabulary, userTurn: string): number[] {
  return [
    vocabulary.control("<|user|>"),
    ...vocabulary.encode(userTurn),
    vocabulary.control("<|end|>"),
    vocabulary.control("<|assistant|>"),
  ];
}

/** Tokens of an answer, its end mark included. */
export function completionTokens(vocabulary: Vocabulary, text: string): number[] {
  return [...vocabulary.encode(text), vocabulary.control("<|end|>")];
}
