import type { AnswerKind } from "../types.js";

const count = "[+-]?\\d+(\\.\\d+)?(\\s*/\\s*10)?";

/** The regular expression at whose first match a judgement is complete: a box with as many numbers as the answer has. */
export function stopPattern(answer: AnswerKind, responses: number): string {
  const others = answer === "scores" && responses > 1 ? `(\\s*,\\s*${count}){${responses - 1}}` : "";
  return `\\\\boxed ?\\{\\s*${count}${others}\\s*\\}`;
}
