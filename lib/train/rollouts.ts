import { SpctError } from "../errors.js";
import type { Grm } from "../judge.js";
import { samplesInFlight } from "../many.js";
import { rewardPrompt } from "../prompt/reward.js";
import type { PromptTemplate } from "../prompt/template.js";
import { type ModelText, promptOf } from "./conversations.js";
import { Random } from "./random.js";
import { answerOf, queryOf, type RlItem, ruleReward } from "./rl_items.js";

/** One sampled judgement as the policy's action. */
export interface Trajectory {
  item: RlItem;
  prompt: Int32Array;
  completion: Int32Array;
  /** By the engine that sampled it, natural logarithm. */
  logProbabilities: Float32Array;
  reward: 1 | -1;
  /** Whether its text had scores. */
  valid: boolean;
}

export interface RolloutOptions {
  groupSize: number;
  temperature: number;
  /** Default: the judge's. */
  maxTokens?: number;
  /** The same seed, items and weights give the same judgements. */
  seed: number;
  signal?: AbortSignal;
}

/**
 * Samples a group of judgements for each item and rewards them by the rule. A group shares one prompt, with its responses in an
 * order drawn from the seed. The distribution is not cut, so that it is the policy's own. Groups come in the order of the items.
 */
export async function rollOut(
  grm: Grm,
  template: PromptTemplate,
  text: ModelText,
  items: readonly RlItem[],
  options: RolloutOptions,
): Promise<Trajectory[]> {
  const failed = new AbortController();
  const signal = AbortSignal.any([failed.signal, ...(options.signal === undefined ? [] : [options.signal])]);
  const group = async (item: RlItem, index: number) => {
    try {
      return await rollOutGroup(grm, template, text, item, index, { ...options, signal });
    } catch (error) {
      failed.abort();
      const { code, message } = SpctError.from(error, "ENGINE_FAILURE");
      throw new SpctError(code, `Item ${item.id}: ${message}`, { cause: error });
    }
  };
  const groups: Trajectory[][] = [];
  const problems: SpctError[] = [];
  const queue = items.entries();
  const takeGroups = async () => {
    for (const [index, item] of queue) {
      try {
        groups[index] = await group(item, index);
      } catch (error) {
        problems.push(error as SpctError);
      }
    }
  };
  const together = Math.max(1, Math.ceil(samplesInFlight(grm.info.backend) / 2 / options.groupSize));
  await Promise.all(Array.from({ length: together }, takeGroups));
  const first = problems.find(({ code }) => code !== "CANCELLED") ?? problems[0];
  if (first !== undefined) throw first;
  return groups.flat();
}

async function rollOutGroup(
  grm: Grm,
  template: PromptTemplate,
  text: ModelText,
  item: RlItem,
  index: number,
  { groupSize, temperature, maxTokens, seed, signal }: RolloutOptions,
): Promise<Trajectory[]> {
  const answer = answerOf(item);
  const query = queryOf(item);
  const ownSeed = seed + index * groupSize;
  const order = new Random(ownSeed).shuffle([...item.responses.keys()]);
  const { samples } = await grm.judge(query, {
    k: groupSize,
    seed: ownSeed,
    answer,
    orderings: [order],
    maxTokens,
    temperature,
    topK: 0,
    topP: 1,
    minP: 0,
    logprobs: true,
    signal,
  });
  const prompt = await promptOf(text, [
    { role: "user", content: rewardPrompt(template, query, order, answer) },
  ]);
  return samples.map(({ scores, tokenIds, logprobs }) => ({
    item,
    prompt,
    completion: tokenIds!,
    logProbabilities: logprobs!,
    reward: ruleReward(scores, item.label),
    valid: scores !== null,
  }));
}
