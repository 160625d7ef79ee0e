import { SpctError } from "../errors.js";
import { ChatTemplate, type Piece } from "../prompt/chat.js";
import { rewardPrompt } from "../prompt/reward.js";
import { loadTemplate } from "../templates.js";
import { Random } from "../train/random.js";
import { contentWords, fillerWords } from "../train/tasks/words.js";
import type { Query } from "../types.js";

/** What is judged, k times, in how many orderings, and how long each judgement is. */
export interface Workload {
  /** Words of the query, and of each response; a word is about a token. */
  queryWords: number;
  responseWords: number;
  responses: number;
  orderings: number;
  k: number;
  /** Random weights never end by themselves: every judgement has exactly as many tokens. */
  maxTokens: number;
}

/** A query with responses of everyday words; another seed, other words. */
export function makeQuery({ queryWords, responseWords, responses }: Workload, seed: number): Query {
  const random = new Random(seed);
  return {
    query: text(random, queryWords),
    responses: Array.from({ length: responses }, () => text(random, responseWords)),
  };
}

function text(random: Random, words: number): string {
  const pick = (list: readonly string[]) => list[Math.floor(random.uniform() * list.length)]!;
  const chosen = Array.from({ length: words }, (_, index) =>
    pick(index % 3 === 2 ? fillerWords : contentWords),
  );
  return `${chosen.join(" ")}.`;
}

/** The orderings of the responses: as given, then turned by one place each. */
export function turnedOrders({ responses, orderings }: Workload): number[][] {
  if (orderings > responses) {
    throw new SpctError(
      "INVALID_ARGUMENT",
      `Expected at most as many orderings as responses (${responses}) but received ${orderings}`,
    );
  }
  return Array.from({ length: orderings }, (_, turn) =>
    Array.from({ length: responses }, (_, position) => (position + turn) % responses),
  );
}

/** The prompts of a query as Grm makes them, as pieces: in tokens, other programs can be given exactly the same. */
export async function promptPieces(
  chatTemplate: string,
  query: Query,
  orders: readonly number[][],
): Promise<Piece[][]> {
  const template = await loadTemplate("default");
  const chat = new ChatTemplate(chatTemplate);
  return orders.map((order) => {
    const content = rewardPrompt(template, query, order, "scores");
    return chat.render([{ role: "user", content }], { bosToken: "", eosToken: "" });
  });
}
