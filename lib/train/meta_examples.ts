import { metaMessages, rewardPrompt } from "../prompt/reward.js";
import type { PromptTemplate } from "../prompt/template.js";
import { answered, type ModelText, promptOf } from "./conversations.js";
import type { ItemJudgement } from "./judgements.js";
import type { LabelledJudgement } from "./meta.js";
import { Random } from "./random.js";
import type { LabelledSequence } from "./reward.js";
import { answerOf, queryOf } from "./rl_items.js";

/** A judgement as its own judge saw and wrote it, for the fused meta RM. */
export async function judgeExample(
  text: ModelText,
  template: PromptTemplate,
  { item, order, text: judgement, tokenIds, label }: ItemJudgement,
): Promise<LabelledJudgement> {
  const content = rewardPrompt(template, queryOf(item), order, answerOf(item));
  const messages = [{ role: "user", content }];
  if (tokenIds !== undefined) return { prompt: await promptOf(text, messages), completion: tokenIds, label };
  return { ...(await answered(text, messages, [{ text: judgement, special: false }])), label };
}

/** A judgement as a separate meta RM reads it: a bare prompt, and the judgement as the assistant's turn. */
export async function metaExample(
  text: ModelText,
  template: PromptTemplate,
  { item, order, text: judgement, label }: ItemJudgement,
): Promise<LabelledSequence> {
  const messages = metaMessages(template, queryOf(item), order, judgement);
  return { sequence: await promptOf(text, messages, false), label };
}

/** Judgements to learn from and, of other items, to measure on. */
export function splitByItem(
  judgements: readonly ItemJudgement[],
  share: number,
  seed: number,
): { training: ItemJudgement[]; heldOut: ItemJudgement[] } {
  const ids = new Random(seed).shuffle([...new Set(judgements.map(({ item }) => item.id))]);
  const kept = new Set(ids.slice(Math.floor(share * ids.length)));
  return {
    training: judgements.filter(({ item }) => kept.has(item.id)),
    heldOut: judgements.filter(({ item }) => !kept.has(item.id)),
  };
}
