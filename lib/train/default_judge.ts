import type { Example } from "./dataset.js";
import { judgeVocabulary } from "./judge_vocabulary.js";
import type { ModelShape } from "./native.js";
import { compactPrompt, completionTokens, promptTokens } from "./prompt_tokens.js";
import type { Schedule } from "./schedule.js";
import { defaultRequirementOptions, RequirementTask } from "./tasks/requirements.js";
import type { Vocabulary } from "./vocabulary.js";

/** What the default judge is made from. The same recipe gives the same weights. */
export const defaultRecipe = {
  seed: 1,
  shape: {
    embedding: 128,
    layers: 4,
    heads: 4,
    kvHeads: 4,
    feedForward: 384,
    context: 1024,
  } satisfies ModelShape,
  threads: 2,
  batchItems: 8,
  schedule: { steps: 22_000, peak: 2e-3, warmup: 100, floor: 0.02 } satisfies Schedule,
};

/** How hard the items of a step are. */
export interface Level {
  words: number;
  plain: number;
  responseCounts: readonly [number, number, number, number];
}

/**
 * A beginner sees few words in plain wording and learns to copy and to compare there after some three million tokens; with all
 * words and wordings at once it had not begun to after four million. Then the words grow, then the wording.
 */
export function levelAt(step: number): Level {
  const fewWords = 48;
  const enough = 5000;
  const growth = 2 ** ((step - enough) / 900);
  const words = Math.round(Math.min(defaultRequirementOptions.words, Math.max(fewWords, fewWords * growth)));
  const allWords = 8600;
  const plain = Math.min(1, Math.max(defaultRequirementOptions.plain, 1 - (step - allWords) / 2000));
  const full = words === defaultRequirementOptions.words;
  return { words, plain, responseCounts: full ? defaultRequirementOptions.responseCounts : [0.1, 0.9, 0, 0] };
}

/** The examples of the default judge's steps. Step s uses the seeds from s * batchItems on. */
export function judgeExamples(vocabulary: Vocabulary = judgeVocabulary()): (step: number) => Example[] {
  return (step) => {
    const task = new RequirementTask(levelAt(step));
    return Array.from({ length: defaultRecipe.batchItems }, (_, index) => {
      const seed = step * defaultRecipe.batchItems + index;
      const item = task.generate(seed);
      return {
        prompt: promptTokens(vocabulary, compactPrompt(item.query, item.responses)),
        completion: completionTokens(vocabulary, task.trajectory(item, seed)),
      };
    });
  };
}
