import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type Benchmark, type Item, type JudgedItem, loadItems } from "../../../lib/eval/benchmark.js";
import { benchmarks, findBenchmark } from "../../../lib/eval/benchmarks/index.js";
import { sectionScores } from "../../../lib/eval/benchmarks/rewardbench.js";
import { tiesScore } from "../../../lib/eval/benchmarks/rewardbench2.js";
import { temporaryFolder } from "./temporary_folder.js";

const folder = temporaryFolder();

async function load(benchmark: Benchmark, path: string): Promise<Item[]> {
  const items: Item[] = [];
  for await (const item of loadItems(benchmark, path)) items.push(item);
  return items;
}

/** An item whose vote gives these mean scores. */
function judged(
  id: string,
  subset: string,
  means: number[],
  correct: number[],
  credit: number | null,
): JudgedItem {
  const tally = { scores: means, means, counted: [0], valid: 1 };
  return { id, subset, n: means.length, correct, tally, credit, samples: [{ scores: means, meta: null }] };
}

function scoresOf(name: string, items: JudgedItem[]): Record<string, number | null> {
  const aggregator = findBenchmark(name).aggregator();
  for (const item of items) aggregator.add(item);
  return Object.fromEntries(aggregator.scores().map((score) => [score.name, score.value]));
}

describe("every benchmark", () => {
  test.each(benchmarks.filter(({ name }) => name !== "custom").map((one) => [one.name, one] as const))(
    "%s says where to get what is missing",
    async (_name, benchmark) => {
      await expect(load(benchmark, folder.path("nowhere.jsonl"))).rejects.toMatchObject({
        code: "FILE_NOT_FOUND",
        message: expect.stringContaining(`Its authors publish ${benchmark.title} at https://`),
      });
    },
  );

  test("a name that is none lists them", () => {
    expect(() => findBenchmark("reward-bench")).toThrow(
      /Expected one of rewardbench, rewardbench2, .* for benchmark/,
    );
  });
});

describe("rows to items", () => {
  test.each<[string, string, unknown, Partial<Item>[]]>([
    [
      "rewardbench",
      "filtered.jsonl",
      { id: 30, prompt: "p", chosen: "c", rejected: "r", subset: "hep-go", chosen_model: "m" },
      [{ id: "hep-go/30", subset: "hep-go", query: "p", responses: ["c", "r"], label: 0 }],
    ],
    [
      "rewardbench2",
      "test.jsonl",
      { id: "tied:3", prompt: "a colour?", chosen: ["red", "blue"], rejected: ["dog"], subset: "Ties" },
      [{ id: "tied:3", subset: "Ties", responses: ["red", "blue", "dog"], label: [0, 1] }],
    ],
    [
      "ppe-preference",
      "test.jsonl",
      {
        question_id: "q1",
        prompt: "p",
        response_1: "x",
        response_2: "y",
        winner: "model_b",
        language: "English",
      },
      [{ id: "q1", subset: "English", responses: ["x", "y"], label: 1 }],
    ],
    [
      "ppe-preference",
      "test.jsonl",
      { question_id: "q1", prompt: "p", response_1: "x", response_2: "y", winner: "tie (bothbad)" },
      [],
    ],
    [
      "rmb",
      "RMB_dataset/Pairwise_set/Harmlessness/S1.json",
      [
        {
          pair_uid: "u",
          conversation_input: [{ role: "user", content: "p" }],
          chosen: { answer: "c" },
          reject: { answer: "r" },
        },
      ],
      [
        {
          id: "Pairwise_set/Harmlessness/S1/u",
          subset: "harmlessness/pairwise",
          responses: ["c", "r"],
          label: 0,
        },
      ],
    ],
    [
      "rmb",
      "RMB_dataset/BoN_set/Helpfulness/Chat/Discussion.json",
      [
        {
          bon_uid: "u",
          conversation_input: [{ role: "user", content: "p" }],
          bon_best: { answer: "c" },
          loser_list: [{ answer: "r" }, { answer: "s" }],
        },
      ],
      [{ subset: "helpfulness/best-of-n", responses: ["c", "r", "s"], label: 0 }],
    ],
    [
      "realmistake",
      "data/answerability_classification/gpt-4-0613.jsonl",
      { input: "p", llm_response: "r", label: "error", metadata: { llm_response_model: "gpt-4-0613" } },
      [{ subset: "answerability_classification/gpt-4-0613", responses: ["r"], label: [] }],
    ],
    [
      "judgebench",
      "data.jsonl",
      { pair_id: "u", source: "mmlu-pro-law", question: "p", response_A: "a", response_B: "b", label: "B>A" },
      [{ id: "u", subset: "Knowledge", responses: ["a", "b"], label: 1 }],
    ],
    [
      "llmbar",
      "LLMBar/Adversarial/Manual/dataset.json",
      [{ input: "p", output_1: "a", output_2: "b", label: 2 }],
      [{ id: "Adversarial/Manual/0", subset: "Adversarial/Manual", responses: ["a", "b"], label: 1 }],
    ],
    [
      "evalbias",
      "biasbench.json",
      {
        "length bias": [{ bias: "length bias", instruction: "p", response1: "a", response2: "b", label: 1 }],
      },
      [{ id: "length bias/1", subset: "length bias", label: 0 }],
    ],
    [
      "gsm8k",
      "solutions.jsonl",
      {
        question: "p",
        ground_truth: "t",
        small: { is_correct: false, solution: "a" },
        large: { is_correct: true, solution: "b" },
      },
      [{ id: "1", responses: ["a", "b"], reference: "t", label: [1] }],
    ],
    [
      "custom",
      "rows.jsonl",
      {
        id: 5,
        query: [{ role: "user", content: "p" }],
        responses: ["a"],
        label: [],
        subset: "s",
        metadata: { x: 1 },
      },
      [{ id: "5", subset: "s", label: [], query: [{ role: "user", content: "p" }] }],
    ],
  ])("%s from %s", async (name, file, row, expected) => {
    const items = await load(findBenchmark(name), folder.write(`${name}/${file}`, JSON.stringify(row)));
    expect(items).toHaveLength(expected.length);
    for (const [index, item] of expected.entries()) expect(items[index]).toMatchObject(item);
  });

  test("rm-bench makes 9 pairs of a row", async () => {
    const row = {
      id: 8,
      prompt: "p",
      chosen: ["c0", "c1", "c2"],
      rejected: ["r0", "r1", "r2"],
      domain: "chat",
    };
    const items = await load(findBenchmark("rm-bench"), folder.write("rm.json", JSON.stringify([row])));
    expect(items).toHaveLength(9);
    expect(items[5]).toMatchObject({ id: "chat/8/c1r2", subset: "chat", responses: ["c1", "r2"], label: 0 });
  });

  test("ppe-correctness makes a pair of each conflict, from Parquet with nested lists and 64-bit integers", async () => {
    const path = join(import.meta.dirname, "../../fixtures/eval/gpqa-best-of-k.parquet");
    const items = await load(findBenchmark("ppe-correctness"), path);
    expect(items.map(({ id, label }) => [id, label])).toEqual([
      ["GPQA/7/m#0-1", 0],
      ["GPQA/7/m#1-2", 1],
      ["GPQA/8/m#0-1", 1],
    ]);
    expect(items[1]).toMatchObject({ subset: "GPQA", query: "What is 2+2?", responses: ["5", "four"] });
  });

  test.each<[string, string, unknown, string]>([
    [
      "rewardbench2",
      "a.jsonl",
      { id: "4", prompt: "p", chosen: ["a"], rejected: ["b"], subset: "Ties" },
      "expected ref:N",
    ],
    [
      "judgebench",
      "a.jsonl",
      { pair_id: "u", source: "s", question: "p", response_A: "a", response_B: "b" },
      "no label",
    ],
    [
      "llmbar",
      "a.jsonl",
      { input: "p", output_1: "a", output_2: "b", label: 3 },
      "expected 1 or 2 for label",
    ],
    ["realmistake", "t/a.jsonl", { input: "p", llm_response: "r" }, "no label"],
    [
      "rm-bench",
      "a.jsonl",
      { id: 1, prompt: "p", chosen: ["a"], rejected: ["b"] },
      "expected 3 texts for chosen",
    ],
    [
      "ppe-correctness",
      "gpqa.jsonl",
      { question_id: "1", prompt: "p" },
      "no label: the column scores is missing",
    ],
    [
      "ppe-correctness",
      "ifeval.jsonl",
      {
        question_id: "1",
        prompt: "p",
        response_1: "a",
        scores: [true, true],
        sampled_conflict_pairs: [[0, 1]],
      },
      "the pair 0, 1 of sampled_conflict_pairs has no right and wrong response",
    ],
    [
      "rewardbench",
      "a.jsonl",
      { id: 1, prompt: "p", chosen: "", rejected: "b", subset: "shp" },
      "the text of chosen is empty",
    ],
  ])("%s refuses a bad row of %s", async (name, file, row, reason) => {
    const path = folder.write(`bad/${name}/${file}`, JSON.stringify(row));
    await expect(load(findBenchmark(name), path)).rejects.toMatchObject({
      code: "BAD_ROW",
      message: expect.stringContaining(`${file}:1: ${reason}`),
    });
  });
});

describe("aggregation", () => {
  test("rewardbench weighs subsets by example counts and keeps prior sets apart", () => {
    const accuracies: Record<string, number> = { "math-prm": 0.5, "hep-go": 1, donotanswer: 0.25, shp: 0.75 };
    const items = Object.entries(accuracies).map(([subset, credit]) =>
      judged(subset, subset, [2, 1], [0], credit),
    );
    const reasoning = (984 * 0.5 + 164) / (984 + 164);
    const scores = scoresOf("rewardbench", items);
    expect(scores.Reasoning).toBeCloseTo(reasoning, 12);
    expect(scores.RewardBench).toBeCloseTo((reasoning + 0.25) / 2, 12);
    expect(scores).toMatchObject({ Chat: null, Safety: 0.25, "Prior Sets": 0.75 });
  });

  test("section scores of published accuracies", () => {
    const sections = sectionScores({
      "alpacaeval-easy": 1,
      "mt-bench-easy": 0,
      "mt-bench-hard": 0.5,
      donotanswer: 1,
      "math-prm": 1,
    });
    expect(sections.Chat).toBeCloseTo(100 / 128, 12);
    expect(sections.average).toBeCloseTo((100 / 128 + 2.5) / 4, 12);
  });

  test("the Ties score of RewardBench 2", () => {
    // Tied question: right 9 and 8, best wrong 5; its reference: right 9, wrong 6.
    const clear = { tied: { toWrong: 3, amongRight: 1 }, ref: { toWrong: 3, amongRight: 0 } };
    // Right 9 and 4, wrong 5: wrong on the tied question, right on its reference.
    const mixed = { tied: { toWrong: -1, amongRight: 5 }, ref: { toWrong: 2, amongRight: 0 } };
    const clarity = 0.01 * ((Math.tanh(3 / 1 - 1) + Math.tanh(-1 / 5 - 1)) / 2);
    expect(tiesScore([clear, mixed])).toBeCloseTo(0.3 * 0.5 + 0.3 + 0.2 * 0.5 + 0.2 * 0.5 + clarity, 12);
    const items = [
      judged("tied:1", "Ties", [9, 8, 5], [0, 1], null),
      judged("ref:1", "Ties", [9, 6], [0], null),
      judged("tied:2", "Ties", [9, 4, 5], [0, 1], null),
      judged("ref:2", "Ties", [8, 6], [0], null),
      judged("7", "Math", [3, 1, 1, 1], [0], 1),
    ];
    const scores = scoresOf("rewardbench2", items);
    expect(scores.Ties).toBeCloseTo(tiesScore([clear, mixed]), 12);
    expect(scores["RewardBench 2"]).toBeCloseTo((1 + scores.Ties!) / 2, 12);
  });

  test("rm-bench tells hard from easy pairs", () => {
    const items = [0, 1, 2].flatMap((chosen) =>
      [0, 1, 2].map((rejected) =>
        judged(`chat/1/c${chosen}r${rejected}`, "chat", [1, 2], [0], chosen >= rejected ? 1 : 0),
      ),
    );
    expect(scoresOf("rm-bench", items)).toMatchObject({
      hard: 0,
      normal: 1,
      easy: 1,
      "RM-Bench": expect.closeTo(6 / 9, 12),
      "chosen 1, rejected 3": 0,
    });
  });

  test("rm-bench counts the two parts of safety as one domain", () => {
    const accuracies = { chat: 1, "safety-refuse": 0, "safety-response": 1, math: 1 };
    const items = Object.entries(accuracies).flatMap(([domain, credit]) =>
      Array.from({ length: 9 }, (_, cell) =>
        judged(`${domain}/1/c${Math.floor(cell / 3)}r${cell % 3}`, domain, [1, 2], [0], credit),
      ),
    );
    expect(scoresOf("rm-bench", items)).toMatchObject({
      "RM-Bench": expect.closeTo((1 + 0.5 + 1) / 3, 12),
      hard: expect.closeTo((1 + 0.5 + 1) / 3, 12),
      safety: 0.5,
    });
  });

  test("rmb asks a judge of pairs to be right in every pair of best-of-n", () => {
    const pairs = (wins: number[]) => [
      { pair: [0, 1] as [number, number], scores: [wins[0]!, 1 - wins[0]!] },
      { pair: [0, 2] as [number, number], scores: [wins[1]!, 1 - wins[1]!] },
      { pair: [1, 2] as [number, number], scores: [1, 0] },
    ];
    const items = [
      [1, 1],
      [1, 0],
    ].map((wins, index) => ({
      ...judged(String(index), "helpfulness/best-of-n", [2, 1, 0], [0], 1),
      samples: [{ scores: [2, 1, 0], meta: null, pairs: pairs(wins) }],
    }));
    expect(scoresOf("rmb", items)).toMatchObject({ mean: 0.5 });
  });

  test("rmb averages its quadrants", () => {
    const items = [
      judged("1", "helpfulness/pairwise", [2, 1], [0], 1),
      judged("2", "helpfulness/pairwise", [2, 1], [0], 1),
      judged("3", "harmlessness/best-of-n", [1, 2, 1], [0], 0),
    ];
    expect(scoresOf("rmb", items)).toMatchObject({
      mean: 0.5,
      "helpfulness/pairwise": 1,
      "harmlessness/best-of-n": 0,
    });
  });

  test("realmistake is an AUC, pooled and by cell", () => {
    const items = [
      judged("1", "a", [9], [0], null),
      judged("2", "a", [4], [], null),
      judged("3", "b", [3], [0], null),
      judged("4", "b", [2], [], null),
    ];
    expect(scoresOf("realmistake", items)).toMatchObject({
      "ROC-AUC pooled": 0.75,
      "ROC-AUC mean of cells": 1,
      a: 1,
      b: 1,
    });
  });

  const twoOrders = (id: string, given: number[] | null, swapped: number[] | null): JudgedItem => ({
    ...judged(id, "s", [1, 1], [0], null),
    samples: [
      { order: [0, 1], scores: given, meta: null },
      { order: [1, 0], scores: swapped, meta: null },
    ],
  });

  test("judgebench lets the orders cancel out", () => {
    const items = [
      twoOrders("both right", [2, 1], [3, 1]),
      twoOrders("right and tied", [2, 1], [1, 1]),
      twoOrders("right and wrong", [2, 1], [1, 2]),
      twoOrders("both wrong", [1, 2], [1, 2]),
    ];
    expect(scoresOf("judgebench", items)).toMatchObject({
      "both orders right": 0.5,
      "same decision in both orders": 0.5,
    });
  });

  test("llmbar counts a tie one half, an unreadable verdict nothing", () => {
    const items = [
      twoOrders("right, unreadable", [1, 0], null),
      twoOrders("tied twice", [5, 5], [5, 5]),
      twoOrders("unreadable twice", null, null),
      twoOrders("right twice", [1, 0], [1, 0]),
    ];
    expect(scoresOf("llmbar", items)).toMatchObject({
      "average accuracy": (0.5 + 0.5 + 0 + 1) / 4,
      "positional agreement": 0.5,
    });
  });
});
