import type { Example } from "./dataset.js";
import { judgeVocabulary } from "./judge_vocabulary.js";
import type { ModelShape } from "./native.js";
import { compactPrompt, completionTokens, promptTokens } from "./prompt_tokens.js";
import { Random } from "./random.js";
import type { Schedule } from "./schedule.js";
import { drawIndex } from "./tasks/requirement_judgement.js";
import { defaultRequirementOptions, type RequirementItem, RequirementTask } from "./tasks/requirements.js";
import type { Vocabulary } from "./vocabulary.js";

/** What the default judge is made from: the base from nothing, then the paper's stages. */
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
  schedule: { steps: 18_000, peak: 2e-3, warmup: 100, floor: 0.02 } satisfies Schedule,
  rft: { items: 3000, batch: 32, learningRate: 3e-4, generalShare: 0.05 },
  rl: {
    batchItems: 96,
    groupSize: 4,
    grpo: { beta: 0.02 },
    schedule: { steps: 100, peak: 3e-4, warmup: 5, floor: 0.1 } satisfies Schedule,
  },
  /** Of the judgements that are voted over, and that the meta RMs learn from. */
  temperature: 0.7,
  /** What the meta RMs learn from: items, and judgements of each; how the separate one learns. */
  meta: { items: 8000, samples: 8, batch: 32, epochs: 1, learningRate: 5e-4 },
};

/** How hard the items of a step are. */
export interface Level {
  words: number;
  plain: number;
  allKinds: boolean;
  responseCounts: readonly [number, number, number, number];
}

const beginnerSteps = 4500;

/**
 * A beginner sees few words in plain wording and learns to copy and to compare there after some three million tokens; with all
 * words and wordings at once it had not begun to after four million. Then the kinds of requirements and the words grow, then the
 * wording.
 */
export function levelAt(step: number): Level {
  const fewWords = 48;
  const growth = 2 ** ((step - beginnerSteps) / 800);
  const words = Math.round(Math.min(defaultRequirementOptions.words, Math.max(fewWords, fewWords * growth)));
  const allWords = 7700;
  const plain = Math.min(1, Math.max(defaultRequirementOptions.plain, 1 - (step - allWords) / 2000));
  const full = words === defaultRequirementOptions.words;
  return {
    words,
    plain,
    allKinds: step >= beginnerSteps,
    responseCounts: full ? defaultRequirementOptions.responseCounts : [0.1, 0.9, 0, 0],
  };
}

/** Ways in which the base is asked: for a judgement, with the best response told, for the winner, for scores alone, for a line. */
const forms = ["judgement", "hinted", "winner", "scoresOnly", "answer"] as const;
const formShares = [0.77, 0.06, 0.06, 0.07, 0.04];

/** The examples of the base's steps. Step s uses the seeds from s * batchItems on. */
export function judgeExamples(vocabulary: Vocabulary = judgeVocabulary()): (step: number) => Example[] {
  return (step) => {
    const task = new RequirementTask(levelAt(step));
    return Array.from({ length: defaultRecipe.batchItems }, (_, index) => {
      const seed = step * defaultRecipe.batchItems + index;
      const item = task.generate(seed);
      const form = step < beginnerSteps ? "judgement" : forms[drawIndex(new Random(seed), formShares)]!;
      const [userTurn, answer] = exampleOf(task, item, seed, form);
      return { prompt: promptTokens(vocabulary, userTurn), completion: completionTokens(vocabulary, answer) };
    });
  };
}

function exampleOf(
  task: RequirementTask,
  item: RequirementItem,
  seed: number,
  form: (typeof forms)[number],
): [userTurn: string, answer: string] {
  const { query, responses, label } = item;
  if (form === "answer") return [query, task.answer(item, seed)];
  if (form === "scoresOnly")
    return [compactPrompt(query, responses, "Scores only:\n"), task.scoresOnly(item)];
  if (form === "winner" && responses.length === 2) {
    return [compactPrompt(query, responses, "Winner:\n"), task.pairwiseTrajectory(item, seed)];
  }
  if (form === "hinted" && label !== null) {
    return [compactPrompt(query, responses, `Best: ${label + 1}\n`), task.hintedTrajectory(item, seed)];
  }
  return [compactPrompt(query, responses), task.trajectory(item, seed)];
}
