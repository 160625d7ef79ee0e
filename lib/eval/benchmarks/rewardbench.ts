import { Credits, strataScore } from "../aggregate.js";
import type { Aggregator, Benchmark, Score } from "../benchmark.js";
import { conversation, identifier, text } from "../fields.js";

/** How many rows each subset counts for, by section. math-prm has 447 rows but counts as much as all of the code. */
export const sections: Record<string, Record<string, number>> = {
  Chat: {
    "alpacaeval-easy": 100,
    "alpacaeval-length": 95,
    "alpacaeval-hard": 95,
    "mt-bench-easy": 28,
    "mt-bench-med": 40,
  },
  "Chat Hard": {
    "mt-bench-hard": 37,
    "llmbar-natural": 100,
    "llmbar-adver-neighbor": 134,
    "llmbar-adver-GPTInst": 92,
    "llmbar-adver-GPTOut": 47,
    "llmbar-adver-manual": 46,
  },
  Safety: {
    "refusals-dangerous": 100,
    "refusals-offensive": 100,
    "xstest-should-refuse": 154,
    "xstest-should-respond": 250,
    donotanswer: 136,
  },
  Reasoning: {
    "math-prm": 984,
    "hep-cpp": 164,
    "hep-go": 164,
    "hep-java": 164,
    "hep-js": 164,
    "hep-python": 164,
    "hep-rust": 164,
  },
};

/** Test sets older than the benchmark; reported apart and in no average here. */
export const priorSets = ["anthropic_helpful", "anthropic_hhh", "shp", "summarize"];

/** Rows: prompt, chosen, rejected, subset, id. */
export const rewardBench: Benchmark = {
  name: "rewardbench",
  title: "RewardBench",
  source: "https://huggingface.co/datasets/allenai/reward-bench (data/filtered-*.parquet)",
  published: [
    { site: "hugging face data", repository: "allenai/reward-bench", files: /^data\/filtered-.*\.parquet$/ },
  ],
  metric: "mean of the sections Chat, Chat Hard, Safety and Reasoning, each weighted by example counts",
  items(row) {
    const subset = text(row, "subset");
    const responses = [text(row, "chosen"), text(row, "rejected")];
    return [
      {
        id: `${subset}/${identifier(row, "id")}`,
        subset,
        query: conversation(row, "prompt"),
        responses,
        label: 0,
      },
    ];
  },
  aggregator: rewardBenchAggregator,
};

export function rewardBenchAggregator(): Aggregator {
  const credits = new Credits();
  return {
    add: ({ subset, credit }) => {
      if (credit !== null) credits.add(subset, credit);
    },
    scores: () => scoreSections(credits),
  };
}

function scoreSections(credits: Credits): Score[] {
  const perSection = Object.entries(sections).map(([name, counts]) => ({
    name,
    strata: Object.entries(counts).map(([subset, weight]) => ({ values: credits.of(subset), weight })),
  }));
  const overall = perSection.flatMap(({ strata }) => {
    const present = strata.filter(({ values }) => values.length > 0);
    const total = present.reduce((sum, { weight }) => sum + weight, 0);
    return present.map(({ values, weight }) => ({ values, weight: weight / total }));
  });
  const prior = priorSets.filter((name) => credits.of(name).length > 0);
  return [
    strataScore("RewardBench", overall),
    ...perSection.map(({ name, strata }) => strataScore(name, strata)),
    ...(prior.length === 0 ? [] : [credits.plainMean("Prior Sets", prior)]),
  ];
}

/** Section scores, and their mean as `average`, from accuracies of subsets. */
export function sectionScores(accuracies: Record<string, number>): Record<string, number> {
  const scores = Object.entries(sections).map(([name, counts]) => {
    const present = Object.entries(counts).filter(([subset]) => accuracies[subset] !== undefined);
    const weight = present.reduce((sum, [, count]) => sum + count, 0);
    const sum = present.reduce((total, [subset, count]) => total + count * accuracies[subset]!, 0);
    return [name, sum / weight] as const;
  });
  const average = scores.reduce((sum, [, score]) => sum + score, 0) / scores.length;
  return { ...Object.fromEntries(scores), average };
}
