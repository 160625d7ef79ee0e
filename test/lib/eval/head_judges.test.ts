import { describe, expect, test } from "vitest";
import type { Item } from "../../../lib/eval/benchmark.js";
import { PairwiseScalarJudge } from "../../../lib/eval/judges/pairwise_scalar.js";
import { ScalarJudge } from "../../../lib/eval/judges/scalar.js";
import { SemiScalarJudge } from "../../../lib/eval/judges/semi_scalar.js";
import { scalarPrompt } from "../../../lib/prompt/scalar.js";
import { PromptTemplate } from "../../../lib/prompt/template.js";
import { RewardModel } from "../../../lib/reward_model.js";
import { tally } from "../../../lib/vote/tally.js";
import { FakeEngine } from "../fake_engine.js";

const template = new PromptTemplate("shown", "{{ reference }}|{{ responses | join('>') }}");
const item: Item = { id: "a", query: "q", responses: ["5", "9", "7"], label: 1, reference: "r" };
const options = { k: 8, seed: 0, reference: false };

/** A model whose head sees the numbers that are shown. */
function over(value: (shown: number[], seed: number) => number | undefined) {
  const engine = new FakeEngine(({ prompt, seed }) => {
    const shown = prompt.split("|").at(-1)!.split(">").map(Number);
    return { text: `about ${shown}`, meta: value(shown, seed) };
  });
  return { engine, loaded: { model: RewardModel.over(engine, template), name: "fake", identity: {} } };
}

describe("ScalarJudge", () => {
  test("gives each response its reward, without drawing anything", async () => {
    const { engine, loaded } = over(([only]) => -only!);
    const judge = new ScalarJudge(loaded, options);
    expect(await judge.judge(item)).toEqual([{ scores: [-5, -9, -7], meta: null }]);
    expect(judge.k).toBe(1);
    expect(engine.requests[0]).toMatchObject({ maxTokens: 0, opensAnswer: true, samples: { length: 3 } });
    expect(engine.requests[0]!.prompts[1]![0]!.content).toBe("|9");
  });

  test("shows the reference when told to", async () => {
    const { engine, loaded } = over(() => 0);
    await new ScalarJudge(loaded, { ...options, reference: true }).judge(item);
    expect(engine.requests[0]!.prompts[0]![0]!.content).toBe("r|5");
  });

  test("a value that is not finite is an error", async () => {
    const { loaded } = over(() => undefined);
    await expect(new ScalarJudge(loaded, options).judge(item)).rejects.toMatchObject({
      code: "NUMERICAL_FAILURE",
    });
  });
});

describe("SemiScalarJudge", () => {
  test("a sample holds one critique of each response", async () => {
    const { engine, loaded } = over(([only], seed) => only! + (seed % 3));
    const samples = await new SemiScalarJudge(loaded, { ...options, k: 4 }).judge(item);
    expect(samples).toHaveLength(4);
    const seeds = engine.requests[0]!.samples.map(({ seed }) => seed);
    expect(new Set(seeds).size).toBe(12);
    expect(samples[1]!.scores).toEqual([5, 9, 7].map((own, index) => own + (seeds[4 * index + 1]! % 3)));
    expect(samples[0]!.text).toBe("Response 1:\nabout 5\n\nResponse 2:\nabout 9\n\nResponse 3:\nabout 7");
    const means = tally(samples, 3).means;
    expect(means.indexOf(Math.max(...(means as number[])))).toBe(1);
  });
});

describe("PairwiseScalarJudge", () => {
  const judgeBy = (value: (shown: number[]) => number, k = 8) =>
    new PairwiseScalarJudge(over(value).loaded, { ...options, k }).judge(item);

  test("counts the comparisons that each response wins, in both orders", async () => {
    const samples = await judgeBy(([a, b]) => (a! - b!) / 100);
    expect(samples.map(({ scores }) => scores)).toEqual([
      [0, 2, 1],
      [0, 2, 1],
    ]);
    expect(samples[1]!.order).toEqual([...samples[0]!.order!].reverse());
    expect(await judgeBy(([a, b]) => a! - b!, 1)).toHaveLength(1);
  });

  test("one that always prefers the first shown decides nothing; 0 prefers neither", async () => {
    expect(tally(await judgeBy(() => 0.3), 3).scores).toEqual([2, 2, 2]);
    expect((await judgeBy(() => 0, 1))[0]!.scores).toEqual([1, 1, 1]);
  });

  test("needs two responses", async () => {
    const judge = new PairwiseScalarJudge(over(() => 1).loaded, options);
    await expect(judge.judge({ ...item, responses: ["1"] })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
  });
});

test("without a template a response is the assistant's turn", () => {
  const turns = [
    { role: "user", content: "a" },
    { role: "assistant", content: "b" },
    { role: "user", content: "c" },
  ];
  const answer = { role: "assistant", content: "y" };
  expect(scalarPrompt(undefined, { query: turns, responses: ["x", "y"] }, 1)).toEqual({
    messages: [...turns, answer],
    opensAnswer: false,
  });
  expect(scalarPrompt(undefined, { query: "q", responses: ["x", "y"] }, 1).messages).toEqual([
    { role: "user", content: "q" },
    answer,
  ]);
});
