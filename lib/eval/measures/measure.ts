import type { JudgedItem } from "../benchmark.js";
import type { ItemFacts } from "../join.js";

/** Something measured over judged items, one after the other. Keeps numbers, never texts. */
export interface Measure<Result> {
  add(item: JudgedItem, facts: ItemFacts): void;
  result(): Result;
}

/** The response with the highest score, or null if there is none or several share it. */
export function pick(scores: readonly (number | null)[] | null): number | null {
  if (scores === null || scores.includes(null)) return null;
  const most = Math.max(...(scores as number[]));
  const first = scores.indexOf(most);
  return scores.lastIndexOf(most) === first ? first : null;
}

/** The single right response, or null. */
export function rightOne({ correct }: JudgedItem): number | null {
  return correct !== null && correct.length === 1 ? correct[0]! : null;
}
