import type { JudgedItem } from "../benchmark.js";
import type { JoinedJudgement } from "../join.js";

export interface BrowserEntry {
  id: string;
  subset: string;
  outcome: "right" | "wrong" | "tied" | "no vote" | "unlabelled";
  query: string;
  responses: string[];
  /** Indices of the right responses. */
  correct: readonly number[] | null;
  votes: readonly number[] | null;
  /** How many samples there are; the first of them follow. */
  k: number;
  samples: {
    scores: readonly (number | null)[] | null;
    meta: number | null;
    reason?: string;
    text: string;
  }[];
}

const mostOfEach = 150;
const mostSamples = 8;
const longestText = 3000;

/** Keeps some judgements with their texts for the report: the first of each outcome, so that the wrong ones are not lost among
 * the right ones. */
export class Browser {
  readonly #counts = new Map<string, number>();
  readonly entries: BrowserEntry[] = [];
  /** Items that were offered. */
  items = 0;

  add(judged: JudgedItem, { record, item }: JoinedJudgement, tied: boolean): void {
    this.items++;
    const outcome = outcomeOf(judged, tied);
    const count = this.#counts.get(outcome) ?? 0;
    if (count >= mostOfEach) return;
    this.#counts.set(outcome, count + 1);
    this.entries.push({
      id: judged.id,
      subset: judged.subset,
      outcome,
      query: item === undefined ? "" : cut(flatten(item.query)),
      responses: item?.responses.map(cut) ?? [],
      correct: judged.correct,
      votes: judged.tally.scores,
      k: record.samples.length,
      samples: record.samples.slice(0, mostSamples).map(({ order, scores, meta, reason, text = "" }) => ({
        ...(order === undefined || order.every((response, place) => response === place) ? {} : { order }),
        scores,
        meta,
        ...(reason === undefined ? {} : { reason }),
        text: cut(text),
      })),
    });
  }
}

function outcomeOf({ credit, correct, tally }: JudgedItem, tied: boolean): BrowserEntry["outcome"] {
  if (tally.scores === null) return "no vote";
  if (correct === null || credit === null) return "unlabelled";
  if (tied) return "tied";
  return credit === 1 ? "right" : "wrong";
}

function flatten(query: string | readonly { role: string; content: string }[]): string {
  return typeof query === "string"
    ? query
    : query.map(({ role, content }) => `${role}: ${content}`).join("\n\n");
}

function cut(text: string): string {
  return text.length <= longestText ? text : `${text.slice(0, longestText)} … (${text.length} characters)`;
}
