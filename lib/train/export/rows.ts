import { rewardPrompt } from "../../prompt/reward.js";
import type { PromptTemplate } from "../../prompt/template.js";
import type { Message } from "../../types.js";
import type { Conversation } from "../dataset.js";
import { Random } from "../random.js";
import { answerOf, queryOf, type RlItem } from "../rl_items.js";

/** The trainers whose files can be written. */
export const trainers = ["trl", "verl", "openrlhf"] as const;
export type TrainerName = (typeof trainers)[number];

/** A prompt of reinforcement learning, and what its reward needs to know. */
interface RlPrompt {
  id: string;
  prompt: Message[];
  /** As RlItem's, but an index into the responses in the order shown. */
  label: number;
  responses: number;
}

/** Rows of `rl.jsonl` in the fields that the trainer reads, for the reward functions in spct_reward.py. Responses are shown in an
 * order drawn from the seed. */
export function rlRows(
  trainer: TrainerName,
  items: readonly RlItem[],
  template: PromptTemplate,
  seed: number,
): Record<string, unknown>[] {
  return items.map((item, index) => rlRow(trainer, toPrompt(item, template, seed + index), index));
}

function toPrompt(item: RlItem, template: PromptTemplate, seed: number): RlPrompt {
  const order = new Random(seed).shuffle([...item.responses.keys()]);
  const content = rewardPrompt(template, queryOf(item), order, answerOf(item));
  const label = order.length === 1 ? item.label : order.indexOf(item.label);
  return { id: item.id, prompt: [{ role: "user", content }], label, responses: order.length };
}

function rlRow(
  trainer: TrainerName,
  { id, prompt, label, responses }: RlPrompt,
  index: number,
): Record<string, unknown> {
  // Text, as verl's and OpenRLHF's columns hold one type.
  const truth = JSON.stringify({ label, responses });
  switch (trainer) {
    case "trl":
      return { prompt, label, responses };
    case "verl":
      return {
        data_source: "spct",
        prompt,
        ability: "judging",
        reward_model: { style: "rule", ground_truth: truth },
        extra_info: { split: "train", index, id },
      };
    case "openrlhf":
      return { input: prompt, label: truth };
  }
}

/** Rows of `sft.jsonl`: conversations whose last turn is learnt. */
export function sftRows(
  trainer: TrainerName,
  conversations: readonly Conversation[],
): Record<string, unknown>[] {
  return conversations.map((conversation) => sftRow(trainer, conversation));
}

function sftRow(trainer: TrainerName, { messages, completion }: Conversation): Record<string, unknown> {
  const answer = [{ role: "assistant", content: completion }];
  switch (trainer) {
    case "trl":
      return { prompt: messages, completion: answer };
    case "verl":
      return { messages: [...messages, ...answer] };
    case "openrlhf":
      return { input: messages, output: answer };
  }
}
