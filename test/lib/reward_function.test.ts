import { beforeAll, describe, expect, test } from "vitest";
import { Grm } from "../../lib/judge.js";
import type { PromptTemplate } from "../../lib/prompt/template.js";
import { type RewardBatch, rewardFunction } from "../../lib/reward_function.js";
import { loadTemplate } from "../../lib/templates.js";
import { type Asked, FakeEngine } from "./fake_engine.js";

let template: PromptTemplate;
beforeAll(async () => {
  template = await loadTemplate("compact");
});

const worth: Record<string, number> = { apple: 3, melon: 8, grape: 1, peach: 5 };
const shown = (prompt: string) => [...prompt.matchAll(/^Response \d+:\n(\w+)$/gm)].map(([, fruit]) => fruit!);
function scoreFruit({ prompt }: Asked): string {
  return `Scores: \\boxed{${shown(prompt).map((fruit) => worth[fruit] ?? "none")}}`;
}

function judge(answer: ConstructorParameters<typeof FakeEngine>[0] = scoreFruit) {
  const engine = new FakeEngine(answer);
  const asked = () => engine.requests.map(({ prompts }) => shown(prompts[0]![0]!.content));
  return { grm: Grm.over(engine, template), asked };
}

describe("a reward function", () => {
  test("gives each completion its mean score, comparing those of one prompt", async () => {
    const { grm, asked } = judge();
    const reward = rewardFunction(grm, { k: 6 });
    const batch = { prompts: ["p", "q", "p", "p"], completions: ["apple", "melon", "grape", "peach"] };
    expect(await reward(batch)).toEqual([3, 8, 1, 5]);
    expect(asked()).toEqual([["apple", "grape", "peach"], ["melon"]]);
  });

  test("judges at most `together` completions in a list", async () => {
    const { grm, asked } = judge();
    const batch = { prompts: ["p", "p", "p"], completions: ["apple", "melon", "grape"] };
    expect(await rewardFunction(grm, { together: 2 })(batch)).toEqual([3, 8, 1]);
    expect(await rewardFunction(grm, { together: 1 })(batch)).toEqual([3, 8, 1]);
    expect(asked()).toEqual([["apple", "melon"], ["grape"], ["apple"], ["melon"], ["grape"]]);
  });

  test("keeps references apart and shows them", async () => {
    const prompts: string[] = [];
    const { grm } = judge((asked) => {
      prompts.push(asked.prompt);
      return scoreFruit(asked);
    });
    const batch = { prompts: ["p", "p"], completions: ["apple", "melon"], references: ["seven", null] };
    expect(await rewardFunction(grm, { k: 1 })(batch)).toEqual([3, 8]);
    expect(prompts.map((prompt) => prompt.includes("Reference:\nseven"))).toEqual([true, false]);
  });

  test("has no reward for blank completions and for judgements that cannot be read", async () => {
    const { grm, asked } = judge();
    const batch = { prompts: ["p", "p", "q"], completions: [" \n", "apple", "stone"] };
    expect(await rewardFunction(grm)(batch)).toEqual([null, 3, null]);
    expect(asked()).toEqual([["apple"], ["stone"]]);
    expect(await rewardFunction(grm)({ prompts: [], completions: [] })).toEqual([]);
  });

  test.each([
    ["fewer completions than prompts", { prompts: ["p", "q"], completions: ["a"] }],
    ["a completion that is no string", { prompts: ["p"], completions: [1] }],
    ["a prompt that is no prompt", { prompts: [5], completions: ["a"] }],
    ["an empty prompt", { prompts: [""], completions: ["a"] }],
    ["no batch", null],
    ["an unknown field", { prompts: ["p"], completions: ["a"], labels: [1] }],
  ])("refuses %s", async (_, batch) => {
    const { grm } = judge();
    await expect(rewardFunction(grm)(batch as unknown as RewardBatch)).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
  });

  test("refuses a list of none", () => {
    expect(() => rewardFunction(judge().grm, { together: 0 })).toThrow(
      expect.objectContaining({ code: "INVALID_ARGUMENT" }),
    );
  });
});
