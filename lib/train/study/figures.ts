import type { Judge } from "../../eval/judges/judge.js";
import { judgeItems } from "../../eval/judging.js";
import type { SampleRecord } from "../../records.js";
import { creditOfVote, rocAuc } from "../../vote/metrics.js";
import { type Aggregate, tally } from "../../vote/tally.js";
import { type Accuracy, accuracyOf } from "../accuracy.js";
import type { TaskItem } from "../tasks/task.js";

/** What was measured of one judge. Keys: "greedy", "@8", "meta @8", "meta @8 of 2" (the two best of eight). */
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

/** Accuracy of the vote over each item's first k samples. A tie at the top is worth its share, no vote nothing. */
export function voteAccuracy(
  judged: readonly Judged[],
  k: number,
  kMeta = k,
  aggregate: Aggregate = "sum",
): Accuracy {
  let sum = 0;
  for (const { item, samples } of judged) {
    const { label, responses } = item;
    if (label === null) throw new RangeError("Expected items with a best response");
    const { scores } = tally(samples.slice(0, k), responses.length, { kMeta, aggregate });
    sum += creditOfVote(
      scores,
      { correct: [label], n: responses.length },
      { ties: "share", unvoted: "wrong" },
    )!;
  }
  return accuracyOf(sum, judged.length);
}

/** ROC-AUC of single responses by the mean of their first k scores; a response without a score stands in the middle. */
export function singleAuc(judged: readonly Judged[], k: number): number | null {
  const middle = 5.5;
  const values = judged.map(({ samples }) => {
    const { scores } = tally(samples.slice(0, k), 1, { kMeta: k, aggregate: "mean" });
    return scores?.[0] ?? middle;
  });
  return rocAuc(
    values,
    judged.map(({ item }) => item.truth[0]! > 0.5),
  );
}
