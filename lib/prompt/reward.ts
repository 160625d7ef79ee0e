import type { AnswerKind, Message, Principle, Query } from "../types.js";
import type { PromptTemplate, PromptVariables } from "./template.js";

/** The prompt of one sample: a query with its responses in the order `order[p]` shown at position p. */
export function rewardPrompt(
  template: PromptTemplate,
  query: Query,
  order: readonly number[],
  answer: AnswerKind,
): string {
  return template.render(promptVariables(query, order, answer));
}

/** What a separate meta RM reads before a judgement: a bare scoring prompt. */
export function metaTurn(template: PromptTemplate, query: Query, order: readonly number[]): Message {
  return { role: "user", content: template.render(promptVariables(query, order, "scores")) };
}

/** The input of a separate meta RM: a bare scoring prompt, and the whole judgement as its answer. */
export function metaMessages(
  template: PromptTemplate,
  query: Query,
  order: readonly number[],
  judgement: string,
): Message[] {
  return [metaTurn(template, query, order), { role: "assistant", content: judgement }];
}

export function promptVariables(query: Query, order: readonly number[], answer: AnswerKind): PromptVariables {
  const conversation = readConversation(query.query);
  const { principles, reference, hint } = query;
  return {
    query: flatten(conversation),
    conversation,
    responses: order.map((index) => query.responses[index]!),
    count: order.length,
    reference,
    principles: principles === undefined || principles === false ? undefined : formatPrinciples(principles),
    wants_principles: principles !== false,
    hint: hint === undefined ? undefined : { ...hint, best: order.indexOf(hint.best) + 1 },
    answer,
  };
}

/** `1. Accuracy (weight 40): says what is so`, one on a line. */
export function formatPrinciples(principles: string | readonly Principle[]): string {
  if (typeof principles === "string") return principles.trim();
  return principles
    .map(({ name, weight, description }, index) => {
      const share = weight === undefined ? "" : ` (weight ${weight})`;
      return `${index + 1}. ${name}${share}${description === undefined ? "" : `: ${description}`}`;
    })
    .join("\n");
}

function readConversation(query: string | readonly Message[]): Message[] {
  if (typeof query === "string") return [{ role: "user", content: query }];
  return query.map(({ role, content }) => ({ role, content }));
}

function flatten(conversation: readonly Message[]): string {
  if (conversation.length === 1) return conversation[0]!.content;
  return conversation.map(({ role, content }) => `${role}: ${content}`).join("\n\n");
}
