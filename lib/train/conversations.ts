import { SpctError } from "../errors.js";
import { loadAddon, type NativeVocabulary } from "../native.js";
import { ChatTemplate, type Piece } from "../prompt/chat.js";
import type { Message } from "../types.js";
import type { Conversation, Example } from "./dataset.js";
import type { NativeTrainer } from "./native.js";
import { Random } from "./random.js";

export interface ModelText {
  vocabulary: NativeVocabulary;
  chat: ChatTemplate;
  bosToken: string;
  eosToken: string;
}

/** What turns conversations into tokens of the model at `path`, which `trainer` trains. */
export async function modelText(path: string, trainer: NativeTrainer): Promise<ModelText> {
  const { chatTemplate, bosToken, eosToken } = trainer.info;
  if (chatTemplate === null) throw new SpctError("NO_CHAT_TEMPLATE", `${path} has no chat template`);
  if (eosToken === null) throw new SpctError("UNSUPPORTED_MODEL", `${path} names no end token`);
  const vocabulary = await loadAddon().loadVocabulary(path);
  return { vocabulary, chat: new ChatTemplate(chatTemplate), bosToken: bosToken ?? "", eosToken };
}

/** A prompt as the engine would tokenize it; unless told otherwise it ends with the assistant's turn opened. */
export function promptOf(
  { vocabulary, chat, bosToken, eosToken }: ModelText,
  messages: Message[],
  opensAnswer = true,
): Promise<Int32Array> {
  return vocabulary.tokenize(chat.render(messages, { bosToken, eosToken, generate: opensAnswer }));
}

/** A conversation as the engine would tokenize it, and its answer with the model's end token. */
export function toExample(model: ModelText, { messages, completion }: Conversation): Promise<Example> {
  return answered(model, messages, [
    { text: completion, special: false },
    { text: model.eosToken, special: true },
  ]);
}

/** A conversation and what is written after it. The answer is tokenized behind its prompt: alone, it would get a
 * beginning-of-sequence token of its own. */
export async function answered(
  { vocabulary, chat, bosToken, eosToken }: ModelText,
  messages: Message[],
  answer: readonly Piece[],
): Promise<Example> {
  const pieces = chat.render(messages, { bosToken, eosToken });
  const [prompt, whole] = await Promise.all([
    vocabulary.tokenize(pieces),
    vocabulary.tokenize([...pieces, ...answer]),
  ]);
  return { prompt, completion: whole.subarray(prompt.length) };
}

/** Batches of a fixed set: every epoch takes each example once, in an order drawn from the seed and the epoch. */
export function epochs<T>(examples: readonly T[], batchItems: number, seed: number): (step: number) => T[] {
  const perEpoch = Math.ceil(examples.length / batchItems);
  let current = -1;
  let order: T[] = [];
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
