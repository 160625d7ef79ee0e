import type { Message, Query } from "../types.js";
import { rewardPrompt } from "./reward.js";
import type { PromptTemplate } from "./template.js";

/** Where a scalar reward model reads its state: at the end of this conversation. */
export interface ScalarPrompt {
  messages: Message[];
  /** Whether the assistant's turn is opened after the messages. */
  opensAnswer: boolean;
}

/**
 * What a scalar reward model reads of one response: a template's user turn that shows it alone, or, without a template, the
 * conversation with the response as the assistant's turn.
 */
export function scalarPrompt(
  template: PromptTemplate | undefined,
  query: Query,
  response: number,
): ScalarPrompt {
  if (template === undefined) {
    const answer = { role: "assistant", content: query.responses[response]! };
    const turns = typeof query.query === "string" ? [{ role: "user", content: query.query }] : query.query;
    return {
      messages: [...turns.map(({ role, content }) => ({ role, content })), answer],
      opensAnswer: false,
    };
  }
  const content = rewardPrompt(template, query, [response], "scores");
  return { messages: [{ role: "user", content }], opensAnswer: true };
}

/** What a pairwise scalar model reads: the template's user turn with two responses. A value above 0 prefers the first. */
export function pairPrompt(
  template: PromptTemplate,
  query: Query,
  pair: readonly [number, number],
): ScalarPrompt {
  const content = rewardPrompt(template, query, pair, "winner");
  return { messages: [{ role: "user", content }], opensAnswer: true };
}
