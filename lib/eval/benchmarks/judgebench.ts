import { Credits, countScore, type Decision, decisionsByOrder } from "../aggregate.js";
import type { Aggregator, Benchmark } from "../benchmark.js";
import { oneOf, text } from "../fields.js";

/** Rows: pair_id, source, question, response_A, response_B, label (A>B or B>A). */
export const judgeBench: Benchmark = {
  name: "judgebench",
  title: "JudgeBench",
  source:
    "https://github.com/ScalerLab/JudgeBench (folder data) or https://huggingface.co/datasets/ScalerLab/JudgeBench",
  published: [{ site: "github", repository: "ScalerLab/JudgeBench", files: /^data\/[^/]*\.jsonl$/ }],
  metric: "pairs that both orders together decide rightly: a right and a wrong order cancel out",
  items(row) {
    return [
      {
        id: text(row, "pair_id"),
        subset: category(text(row, "source")),
        query: text(row, "question"),
        responses: [text(row, "response_A"), text(row, "response_B")],
        label: oneOf(row, "label", "A>B", "B>A") === "A>B" ? 0 : 1,
      },
    ];
  },
  aggregator: judgeBenchAggregator,
};

/** Prefixes of the sources, as the authors group them. */
const categories: Record<string, string> = {
  "mmlu-pro": "Knowledge",
  "livebench-reasoning": "Reasoning",
  "livebench-math": "Math",
  livecodebench: "Coding",
};

function category(source: string): string {
  const prefix = Object.keys(categories).find((name) => source.startsWith(name));
  return prefix === undefined ? source : categories[prefix]!;
}

function judgeBenchAggregator(): Aggregator {
  const credits = new Credits();
  const orders = { same: 0, items: 0 };
  return {
    add(item) {
      const right = item.correct?.[0];
      if (right === undefined || item.samples.length === 0) return;
      const decisions = [...decisionsByOrder(item).values()];
      const net = decisions.reduce<number>((sum, decision) => sum + worth(decision, right), 0);
      credits.add(item.subset, net > 0 ? 1 : 0);
      if (decisions.length < 2) return;
      orders.items++;
      if (decisions.every((one) => one === decisions[0])) orders.same++;
    },
    scores: () => [
      credits.total("both orders right"),
      ...credits.subsets().map((name) => credits.score(name)),
      countScore("same decision in both orders", orders.same, orders.items),
    ],
  };
}

function worth(decision: Decision, right: number): number {
  return typeof decision === "string" ? 0 : decision === right ? 1 : -1;
}
