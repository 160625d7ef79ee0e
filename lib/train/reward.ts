import { toBatch } from "./dataset.js";
import type { NativeTrainer, TokenBatch } from "./native.js";
import { type StepsOptions, type StepsResult, takeSteps } from "./steps.js";

/** Tokens at whose end a reward is read. */
export type RewardSequence = ArrayLike<number>;

/** Of two sequences the first is to get the higher reward. */
export interface PreferencePair {
  chosen: RewardSequence;
  rejected: RewardSequence;
}

/** A sequence that is to get a reward above 0 (label 1) or below (label 0). */
export interface LabelledSequence {
  sequence: RewardSequence;
  label: 0 | 1;
}

/** The examples of one step; the same step always gives the same ones, so that a run can be resumed. */
type Source<Example> = (step: number) => readonly Example[] | Promise<readonly Example[]>;

/** What is learnt by which loss: pairs by Bradley-Terry's (the paper's scalar baseline), labels by binary cross-entropy (a
 * separate meta RM, section 3.3 of the paper; a pairwise scalar). */
export type RewardSource =
  | { loss: "bradley_terry"; pairs: Source<PreferencePair> }
  | { loss: "bce"; labelled: Source<LabelledSequence> };

/** Trains a scalar reward model, backbone and head, as `takeSteps` goes. `trainer.saveHead` writes the head. */
export function trainReward(
  trainer: NativeTrainer,
  source: RewardSource,
  options: StepsOptions,
): Promise<StepsResult> {
  const take = async (step: number, rate: number) => {
    const { loss } = source;
    if (source.loss === "bradley_terry") {
      const pairs = await source.pairs(step);
      const sequences = pairs.flatMap(({ chosen, rejected }) => [chosen, rejected]);
      return trainer.rewardStep(rewardBatch(sequences), { loss }, rate);
    }
    const labelled = await source.labelled(step);
    const labels = Float32Array.from(labelled, ({ label }) => label);
    return trainer.rewardStep(rewardBatch(labelled.map(({ sequence }) => sequence)), { loss, labels }, rate);
  };
  return takeSteps(trainer, take, options);
}

/** The last token, which is read, stands in the place of a completion. */
export function rewardBatch(sequences: readonly RewardSequence[]): TokenBatch {
  return toBatch(
    sequences.map((tokens) => {
      const all = Int32Array.from(tokens);
      return { prompt: all.subarray(0, -1), completion: all.subarray(-1) };
    }),
  );
}

/** The rewards of any number of sequences, a batch at a time. */
export async function rewardsOf(
  trainer: NativeTrainer,
  sequences: readonly RewardSequence[],
  batchItems = 32,
): Promise<number[]> {
  const rewards: number[] = [];
  for (let begin = 0; begin < sequences.length; begin += batchItems) {
    rewards.push(...(await trainer.rewards(rewardBatch(sequences.slice(begin, begin + batchItems)))));
  }
  return rewards;
}
