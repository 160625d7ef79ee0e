import type { NativeVocabulary } from "../native.js";
import type { ChatTemplate } from "../prompt/chat.js";
import type { Conversation, Example } from "./dataset.js";
import { Random } from "./random.js";

export interface ModelText {
  vocabulary: NativeVocabulary;
  chat: ChatTemplate;
  bosToken: string;
  eosToken: string;
}

/** A conversation as the engine would tokenize it, and its answer with the model's end token. */
export async function toExample(model: ModelText, { messages, completion }: Conversation): Promise<Example> {
  const { vocabulary, chat, bosToken, eosToken } = model;
  const [prompt, answer] = await Promise.all([
    vocabulary.tokenize(chat.render(messages, { bosToken, eosToken })),
    vocabulary.tokenize([
      { text: completion, special: false },
      { text: eosToken, special: true },
    ]),
  ]);
  return { prompt, completion: answer };
}

/** Batches of a fixed set: every epoch takes each example once, in an order drawn from the seed and the epoch. */
export function epochs(
  examples: readonly Example[],
  batchItems: number,
  seed: number,
): (step: number) => Example[] {
  const perEpoch = Math.ceil(examples.length / batchItems);
  let current = -1;
  let order: Example[] = [];
  return (step) => {
    const epoch = Math.floor(step / perEpoch);
    if (epoch !== current) {
      order = new Random(seed + epoch).shuffle(examples);
      current = epoch;
    }
    const begin = (step % perEpoch) * batchItems;
    return order.slice(begin, begin + batchItems);
  };
}
