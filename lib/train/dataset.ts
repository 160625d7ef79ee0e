import { SpctError } from "../errors.js";
import type { TokenBatch } from "./native.js";

/** One example to learn: the prompt is read, the completion is learnt. */
export interface Example {
  prompt: ArrayLike<number>;
  completion: ArrayLike<number>;
}

/** The examples of one step; the same step always gives the same ones, so that a run can be resumed. */
export type ExampleSource = (step: number) => readonly Example[] | Promise<readonly Example[]>;

export function toBatch(examples: readonly Example[]): TokenBatch {
  const lengths = Int32Array.from(examples, ({ prompt, completion }) => prompt.length + completion.length);
  const tokens = new Int32Array(lengths.reduce((sum, length) => sum + length, 0));
  let at = 0;
  for (const { prompt, completion } of examples) {
    tokens.set(prompt, at);
    tokens.set(completion, at + prompt.length);
    at += prompt.length + completion.length;
  }
  return { tokens, lengths, completions: Int32Array.from(examples, ({ prompt }) => prompt.length) };
}

/** One conversation of a data file, and the answer to learn. */
export interface Conversation {
  messages: { role: string; content: string }[];
  completion: string;
}

/**
 * Reads JSONL rows of either form that TRL's SFTTrainer reads: `{"messages":[…]}`, whose last turn is the answer, or
 * `{"prompt":[…],"completion":[…]}` with one answer. Throws BAD_RECORD with the line's number.
 */
export function readConversations(text: string): Conversation[] {
  const conversations: Conversation[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    try {
      conversations.push(toConversation(JSON.parse(line)));
    } catch (error) {
      throw new SpctError("BAD_RECORD", `Line ${index + 1}: ${(error as Error).message}`, { cause: error });
    }
  }
  return conversations;
}

function toConversation(row: unknown): Conversation {
  const { messages, prompt, completion } = row as Record<string, unknown>;
  const turns =
    messages === undefined
      ? [...turnsOf(prompt, "prompt"), ...turnsOf(completion, "completion")]
      : turnsOf(messages, "messages");
  const answer = turns.pop();
  if (answer?.role !== "assistant") throw new Error("Expected the last turn to be the assistant's");
  if (turns.length === 0) throw new Error("Expected a turn before the assistant's");
  return { messages: turns, completion: answer.content };
}

function turnsOf(value: unknown, name: string): { role: string; content: string }[] {
  if (!Array.isArray(value)) throw new Error(`Expected a list of turns for ${name}`);
  return value.map((turn) => {
    const { role, content } = (turn ?? {}) as Record<string, unknown>;
    if (typeof role !== "string" || typeof content !== "string") {
      throw new Error(`Expected a role and a content in each turn of ${name}`);
    }
    return { role, content };
  });
}
