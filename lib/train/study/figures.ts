import { AucSample } from "../../eval/auc.js";
import type { Judge } from "../../eval/judges/judge.js";
import { judgeItems } from "../../eval/judging.js";
import { bootstrapStrata, mean } from "../../eval/statistics.js";
import type { SampleRecord } from "../../records.js";
import { creditOfVote } from "../../vote/metrics.js";
import { type Aggregate, tally } from "../../vote/tally.js";
import { type Accuracy, accuracyOf } from "../accuracy.js";
import type { TaskItem } from "../tasks/task.js";

/** What was measured of one judge. Keys: "greedy", "@8", "meta @8", "meta @8 of 2" (the two best of eight), "ROC-AUC @8",
 * "meta @8 less @8" (a difference of accuracies). */
export type Figures = Record<string, Accuracy>;

export interface Judged {
  item: TaskItem;
  samples: SampleRecord[];
}

/** All samples of a judge for the items, which it is closed after. */
export async function judgeAll(
  judge: Judge,
  items: readonly TaskItem[],
  signal: AbortSignal,
  onItem: (done: number) => void,
): Promise<Judged[]> {
  const judged: Judged[] = [];
  try {
    for await (const { item, samples } of judgeItems(judge, items, signal)) {
      judged.push({ item, samples });
      onItem(judged.length);
    }
  } finally {
    await judge.close();
  }
  return judged;
}

/** A vote over each item's first k samples, or the kMeta of them with the highest meta score. */
export interface Vote {
  k: number;
  kMeta?: number;
  aggregate?: Aggregate;
}

/** Accuracy of a vote. A tie at the top is worth its share, no vote nothing. */
export function voteAccuracy(judged: readonly Judged[], vote: Vote): Accuracy {
  const credits = creditsOf(judged, vote);
  return accuracyOf(
    credits.reduce((sum, credit) => sum + credit, 0),
    judged.length,
  );
}

/** How much more accurate a vote is than another on the same items, with the bootstrap's interval over them. */
export function gain(judged: readonly Judged[], vote: Vote, other: Vote): Accuracy {
  const others = creditsOf(judged, other);
  const values = creditsOf(judged, vote).map((credit, index) => credit - others[index]!);
  return { accuracy: mean(values), ci: bootstrapStrata([{ values, weight: 1 }])!, n: judged.length };
}

function creditsOf(judged: readonly Judged[], { k, kMeta = k, aggregate = "sum" }: Vote): number[] {
  return judged.map(({ item, samples }) => {
    const { label, responses } = item;
    if (label === null) throw new RangeError("Expected items with a best response");
    const { scores } = tally(samples.slice(0, k), responses.length, { kMeta, aggregate });
    const facts = { correct: [label], n: responses.length };
    return creditOfVote(scores, facts, { ties: "share", unvoted: "wrong" })!;
  });
}

/** ROC-AUC of single responses by the mean of their first k scores, with DeLong's interval; a response without a score stands
 * in the middle. Both classes have to be there. */
export function singleAuc(judged: readonly Judged[], k: number): Accuracy {
  const middle = 5.5;
  const sample = new AucSample();
  for (const { item, samples } of judged) {
    const { scores } = tally(samples.slice(0, k), 1, { kMeta: k, aggregate: "mean" });
    sample.add([scores?.[0] ?? middle], item.truth[0]! > 0.5 ? [0] : []);
  }
  return { accuracy: sample.area()!, ci: sample.interval()!, n: judged.length };
}
