import { invalidArgument } from "./errors.js";
import type { Grm } from "./judge.js";
import { integer, optional, type Reader, readOptions, withDefault } from "./options.js";
import type { JudgeManyOptions } from "./settings.js";
import type { Message, Query, Verdict } from "./types.js";

export interface RewardFunctionOptions extends Omit<JudgeManyOptions, "answer" | "orderings" | "onError"> {
  /** How many completions of one prompt are judged in one list. Default 4; 1 judges each by itself. */
  together?: number;
}

/** One step of a policy: `completions[i]` answers `prompts[i]`. */
export interface RewardBatch {
  prompts: readonly (string | readonly Message[])[];
  completions: readonly string[];
  /** Correct answers to judge against; null where there is none. */
  references?: readonly (string | null)[];
}

/**
 * Makes of a judge a reward for reinforcement learning: the mean score (1 to 10) of the judgements that entered the vote for each
 * completion. Completions of one prompt (and reference) are compared in lists, as the judge is best at that. Null means that
 * there is no reward: the completion is blank, or no judgement of it was readable; a trainer masks it out. Rejects as
 * `judge()` does.
 */
export function rewardFunction(
  grm: Grm,
  options: RewardFunctionOptions = {},
): (batch: RewardBatch) => Promise<(number | null)[]> {
  const { together: given, ...judging } = options;
  const { together } = readOptions({ together: withDefault(integer(1), 4) }, { together: given });
  return async (batch) => {
    const { prompts, completions, references } = readOptions(batchReaders(batch), batch);
    const lists = listsOf(prompts, completions, references, together);
    const rewards = new Array<number | null>(completions.length).fill(null);
    const queries = lists.map((members): Query => {
      const reference = references?.[members[0]!];
      const responses = members.map((index) => completions[index]!);
      return { query: prompts[members[0]!]!, responses, ...(reference == null ? {} : { reference }) };
    });
    let done = 0;
    for await (const verdict of grm.judgeMany(queries, judging)) {
      for (const [position, index] of lists[done++]!.entries()) rewards[index] = meanScore(verdict, position);
    }
    return rewards;
  };
}

/** Indices of the completions that are judged together. */
function listsOf(
  prompts: RewardBatch["prompts"],
  completions: readonly string[],
  references: RewardBatch["references"],
  together: number,
): number[][] {
  const groups = new Map<string, number[]>();
  for (const [index, completion] of completions.entries()) {
    if (completion.trim() === "") continue;
    const key = JSON.stringify([prompts[index], references?.[index] ?? null]);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [index]);
    else group.push(index);
  }
  return [...groups.values()].flatMap((group) =>
    Array.from({ length: Math.ceil(group.length / together) }, (_, list) =>
      group.slice(list * together, (list + 1) * together),
    ),
  );
}

function meanScore({ scores, samples }: Verdict, position: number): number | null {
  if (scores === null) return null;
  return scores[position]! / samples.filter(({ counted }) => counted).length;
}

function batchReaders(batch: RewardBatch) {
  const count = Array.isArray(batch?.prompts) ? batch.prompts.length : 0;
  const list =
    <T>(check: (value: unknown) => boolean, kind: string): Reader<readonly T[]> =>
    (given, name) => {
      if (Array.isArray(given) && given.length === count && given.every(check)) return given as T[];
      throw invalidArgument(name, `${kind} for each prompt`, given);
    };
  const isText = (value: unknown) => typeof value === "string";
  return {
    prompts: list<string | readonly Message[]>(
      (value) => isText(value) || Array.isArray(value),
      "a text or messages",
    ),
    completions: list<string>(isText, "a string"),
    references: optional(list<string | null>((value) => value === null || isText(value), "a string or null")),
  };
}
