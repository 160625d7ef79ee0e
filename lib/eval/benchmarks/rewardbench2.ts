import { Credits } from "../aggregate.js";
import type { Aggregator, Benchmark, JudgedItem, Score } from "../benchmark.js";
import { BadRow, conversation, identifier, text, textList } from "../fields.js";
import { bootstrap, bootstrapStrata, mean } from "../statistics.js";

const subsets = ["Factuality", "Precise IF", "Math", "Safety", "Focus"];

/** Rows: id, prompt, chosen (list), rejected (list), subset. Several responses are right only in Ties, whose ids are
 * `tied:N` and, for the same question with one right answer, `ref:N`. */
export const rewardBench2: Benchmark = {
  name: "rewardbench2",
  title: "RewardBench 2",
  source: "https://huggingface.co/datasets/allenai/reward-bench-2 (data/*.parquet)",
  published: [
    { site: "hugging face data", repository: "allenai/reward-bench-2", files: /^data\/.*\.parquet$/ },
  ],
  metric: "mean of the six subsets; Ties by its own weighted score",
  items(row) {
    const subset = text(row, "subset");
    const id = identifier(row, "id");
    if (subset === "Ties" && !/^(ref|tied):\d+$/.test(id))
      throw new BadRow(`expected ref:N or tied:N for id but received ${JSON.stringify(id)}`);
    const chosen = textList(row, "chosen");
    return [
      {
        id,
        subset,
        query: conversation(row, "prompt"),
        responses: [...chosen, ...textList(row, "rejected")],
        label: chosen.length === 1 ? 0 : [...chosen.keys()],
      },
    ];
  },
  aggregator: rewardBench2Aggregator,
};

/** How one Ties item was scored. */
interface TiesMargins {
  /** The worst right answer above the best wrong one. */
  toWrong: number;
  /** Between the best and the worst right answer. */
  amongRight: number;
}

function rewardBench2Aggregator(): Aggregator {
  const credits = new Credits();
  const ties = new Map<string, { ref?: TiesMargins; tied?: TiesMargins }>();
  return {
    add(item) {
      if (item.subset !== "Ties") {
        if (item.credit !== null) credits.add(item.subset, item.credit);
        return;
      }
      const margins = marginsOf(item);
      if (margins === null) return;
      const [kind, question] = item.id.split(":") as ["ref" | "tied", string];
      ties.set(question, { ...ties.get(question), [kind]: margins });
    },
    scores() {
      const names = subsets.filter((name) => credits.of(name).length > 0);
      const tiesScore = scoreTies([...ties.values()]);
      const scores = [...names.map((name) => credits.score(name)), ...(ties.size === 0 ? [] : [tiesScore])];
      return [headline(credits, names, tiesScore, scores), ...scores];
    },
  };
}

function marginsOf({ tally, correct }: JudgedItem): TiesMargins | null {
  if (tally.scores === null || correct === null) return null;
  const means = tally.means as number[];
  const right = means.filter((_, index) => correct.includes(index));
  const wrong = means.filter((_, index) => !correct.includes(index));
  if (right.length === 0 || wrong.length === 0) return null;
  return {
    toWrong: Math.min(...right) - Math.max(...wrong),
    amongRight: Math.max(...right) - Math.min(...right),
  };
}

type TiesQuestion = { ref?: TiesMargins; tied?: TiesMargins };

function scoreTies(questions: readonly TiesQuestion[]): Score {
  return {
    name: "Ties",
    value: questions.length === 0 ? null : tiesScore(questions),
    interval: bootstrap(questions.length, (indices) =>
      tiesScore([...indices].map((index) => questions[index]!)),
    ),
    items: questions.length,
  };
}

/** Weighted score of the benchmark's authors: 0.3 right on the tied questions, 0.3 on the reference ones, 0.2 right and wrong
 * further apart than right from right, 0.2 the same where the reference question is counted too, and 0.01 for how clearly. */
export function tiesScore(questions: readonly TiesQuestion[]): number {
  const right = (margins: TiesMargins | undefined) =>
    margins === undefined ? [] : [Number(margins.toWrong > 0)];
  const tied = questions.flatMap((question) => right(question.tied));
  const reference = questions.flatMap((question) => right(question.ref));
  const both = questions.flatMap(({ ref, tied }) =>
    ref === undefined || tied === undefined
      ? []
      : [{ spread: tied.amongRight, own: tied.toWrong, least: Math.min(tied.toWrong, ref.toWrong) }],
  );
  return (
    0.3 * orZero(tied) +
    0.3 * orZero(reference) +
    0.2 * orZero(both.map(({ own, spread }) => Number(own > spread))) +
    0.2 * orZero(both.map(({ least, spread }) => Number(least > spread))) +
    0.01 * orZero(both.map(({ least, spread }) => clarity(least, spread)))
  );
}

/** In (-1, 1); equal margins without any spread say nothing. */
function clarity(least: number, spread: number): number {
  return least === 0 && spread === 0 ? 0 : Math.tanh(least / spread - 1);
}

function orZero(values: readonly number[]): number {
  return values.length === 0 ? 0 : mean(values);
}

function headline(credits: Credits, names: string[], ties: Score, scores: Score[]): Score {
  const values = scores.map(({ value }) => value!);
  const strata = names.map((name) => ({ values: credits.of(name), weight: 1 }));
  const plain = bootstrapStrata(strata);
  const share = names.length / scores.length;
  // The two parts are resampled apart; their half-widths add up in squares.
  const centre = scores.length === 0 ? null : mean(values);
  const half = (interval: [number, number] | null) =>
    interval === null ? 0 : (interval[1] - interval[0]) / 2;
  const spread = Math.hypot(
    share * half(plain),
    (1 - share) * half(ties.value === null ? null : ties.interval),
  );
  return {
    name: "RewardBench 2",
    value: centre,
    interval: centre === null ? null : [Math.max(0, centre - spread), Math.min(1, centre + spread)],
    items: scores.reduce((sum, { items }) => sum + items, 0),
  };
}
