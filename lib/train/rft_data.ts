import { rewardPrompt } from "../prompt/reward.js";
import type { PromptTemplate } from "../prompt/template.js";
import { type ModelText, promptOf } from "./conversations.js";
import type { Conversation, Example } from "./dataset.js";
import { Random } from "./random.js";
import type { KeptSample } from "./rft_rejection.js";
import type { RftSample } from "./rft_samples.js";
import { answerOf, queryOf, type RlItem } from "./rl_items.js";

/** What a kept judgement teaches; a hinted one is learnt without its hint. */
function userTurn(template: PromptTemplate, item: RlItem, { order }: RftSample) {
  return { role: "user", content: rewardPrompt(template, queryOf(item), order, answerOf(item)) };
}

/** A line of the data set, as `spct train sft` reads it, and where it comes from. */
export function toRow(template: PromptTemplate, items: readonly RlItem[], { index, sample }: KeptSample) {
  const { text, scores, order, seed, hinted } = sample;
  const item = items[index]!;
  const messages = [userTurn(template, item, sample), { role: "assistant", content: text }];
  return { messages, item: item.id, scores, order, seed, hinted };
}

/** A line of the data set for a conversation that is mixed in. */
export function toGeneralRow({ messages, completion }: Conversation) {
  return { messages: [...messages, { role: "assistant", content: completion }] };
}

/** The tokens as they were sampled. A judgement that was ended at its box gets the end token that the judge is to learn. */
export async function toSampledExample(
  text: ModelText,
  template: PromptTemplate,
  items: readonly RlItem[],
  { index, sample }: KeptSample,
): Promise<Example> {
  const prompt = await promptOf(text, [userTurn(template, items[index]!, sample)]);
  if (sample.finish !== "stop") return { prompt, completion: sample.tokens };
  const end = await text.vocabulary.tokenize([{ text: text.eosToken, special: true }]);
  return { prompt, completion: [...sample.tokens, ...end] };
}

/** The conversations that make up `share` of a data set with `judgements` others, drawn by the seed; all without a share, or
 * when there are too few. */
export function drawGeneral(
  conversations: readonly Conversation[],
  share: number | undefined,
  judgements: number,
  seed: number,
): readonly Conversation[] {
  if (share === undefined) return conversations;
  const count = Math.round((judgements * share) / (1 - share));
  return new Random(seed).shuffle(conversations).slice(0, count);
}
