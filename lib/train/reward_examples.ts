import { pairPrompt, type ScalarPrompt, scalarPrompt } from "../prompt/scalar.js";
import type { PromptTemplate } from "../prompt/template.js";
import { type ModelText, promptOf } from "./conversations.js";
import { Random } from "./random.js";
import type { LabelledSequence, PreferencePair } from "./reward.js";
import { queryOf, type RlItem } from "./rl_items.js";

/** Sequences of an item, each at most `context` tokens; a pair that does not fit is counted and left out. */
export interface Examples<Example> {
  examples: Example[];
  tooLong: number;
}

/** The best response of an item against each other one, each read alone (see scalarPrompt). An item with one response gives
 * none. */
export async function preferencePairs(
  text: ModelText,
  template: PromptTemplate | undefined,
  item: RlItem,
  context: number,
): Promise<Examples<PreferencePair>> {
  const sequences = await Promise.all(
    item.responses.map((_, index) => tokensOf(text, scalarPrompt(template, queryOf(item), index))),
  );
  const chosen = sequences[item.label]!;
  const pairs = othersOf(item).map((other) => ({ chosen, rejected: sequences[other]! }));
  const examples = pairs.filter((pair) => pair.chosen.length <= context && pair.rejected.length <= context);
  return { examples, tooLong: pairs.length - examples.length };
}

/** The best response of an item beside each other one, in an order drawn from the seed: 1 where the best stands first. */
export async function orderedPairs(
  text: ModelText,
  template: PromptTemplate,
  item: RlItem,
  context: number,
  seed: number,
): Promise<Examples<LabelledSequence>> {
  const random = new Random(seed);
  const all = await Promise.all(
    othersOf(item).map(async (other): Promise<LabelledSequence> => {
      const first = random.chance(0.5);
      const pair: [number, number] = first ? [item.label, other] : [other, item.label];
      const sequence = await tokensOf(text, pairPrompt(template, queryOf(item), pair));
      return { sequence, label: first ? 1 : 0 };
    }),
  );
  const examples = all.filter(({ sequence }) => sequence.length <= context);
  return { examples, tooLong: all.length - examples.length };
}

function othersOf({ responses, label }: RlItem): number[] {
  return responses.length === 1 ? [] : [...responses.keys()].filter((index) => index !== label);
}

function tokensOf(text: ModelText, { messages, opensAnswer }: ScalarPrompt): Promise<Int32Array> {
  return promptOf(text, messages, opensAnswer);
}
