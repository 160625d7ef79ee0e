import { SpctError } from "../errors.js";
import { integer, number, optional, readOptions, text } from "../options.js";
import { readQuery } from "../query.js";
import type { AnswerKind, Message, Query } from "../types.js";
import type { Task } from "./tasks/task.js";

/** What reinforcement learning needs of an item: what is judged, and what is right. */
export interface RlItem {
  id: string;
  query: string | readonly Message[];
  responses: readonly string[];
  reference?: string;
  /** Index of the best response; of a single response the number it must get, 1 for correct and 0 for not. */
  label: number;
  /** What is asked for. Default: of a single response whether it is correct, of several their scores. */
  answer?: AnswerKind;
  /** What it is judged by; false: without principles. Default: the judge's own. */
  principles?: Query["principles"];
}

export function answerOf({ responses, answer }: Pick<RlItem, "responses" | "answer">): AnswerKind {
  return answer ?? (responses.length === 1 ? "correctness" : "scores");
}

export function queryOf({ query, responses, reference, principles }: RlItem): Query {
  return {
    query,
    responses,
    ...(reference === undefined ? {} : { reference }),
    ...(principles === undefined ? {} : { principles }),
  };
}

/**
 * The rule of Eq. 11: +1 when the scores choose the best response and no other, or are the single response's label, else -1. A
 * judgement without readable scores gets -1; the form of the answer has no reward of its own.
 */
export function ruleReward(scores: readonly number[] | null, label: number): 1 | -1 {
  if (scores === null) return -1;
  if (scores.length === 1) return scores[0] === label ? 1 : -1;
  return scores.every((score, index) => index === label || score < scores[label]!) ? 1 : -1;
}

const readers = {
  id: optional(text),
  query: (given: unknown) => given as Query["query"],
  responses: (given: unknown) => given as string[],
  reference: (given: unknown) => given as string | undefined,
  label: integer(0),
};

/** Reads JSONL rows `{"query", "responses", "label", "reference"?, "id"?}`. Throws BAD_RECORD with the line's number. */
export function readRlItems(source: string): RlItem[] {
  const items: RlItem[] = [];
  for (const [index, line] of source.split("\n").entries()) {
    if (line.trim() === "") continue;
    try {
      const { id = `line-${index + 1}`, label, ...given } = readOptions(readers, JSON.parse(line));
      const query = readQuery(
        given,
        answerOf({ responses: Array.isArray(given.responses) ? given.responses : [] }),
      );
      const item = { id, ...query, label };
      number(0, Math.max(1, item.responses.length - 1))(label, "label");
      items.push(item);
    } catch (error) {
      throw new SpctError("BAD_RECORD", `Line ${index + 1}: ${(error as Error).message}`, { cause: error });
    }
  }
  return items;
}

/** `count` items of a task that have a best response, from the seeds `first`, `first + 1`, … */
export function taskRlItems(task: Task, first: number, count: number): RlItem[] {
  const items: RlItem[] = [];
  for (let seed = first; items.length < count; seed++) {
    const { id, query, responses, label } = task.generate(seed);
    if (label !== null) items.push({ id, query, responses, label });
  }
  return items;
}
