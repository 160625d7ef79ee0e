import { describe, expect, test } from "vitest";
import type { Item } from "../../../lib/eval/benchmark.js";
import { GrmJudge, type GrmJudgeOptions } from "../../../lib/eval/judges/grm.js";
import { Grm } from "../../../lib/judge.js";
import { PromptTemplate } from "../../../lib/prompt/template.js";
import { FakeEngine } from "../fake_engine.js";

const template = new PromptTemplate(
  "shown",
  "{{ answer }}|{{ wants_principles }}|{{ principles }}|{{ reference }}|{{ responses | join(' > ') }}",
);

function judgeOver(options: Partial<GrmJudgeOptions> = {}, hasHead = false) {
  const engine = new FakeEngine(
    ({ prompt, seed }) => {
      const shown = prompt.split("|").at(-1)!.split(" > ");
      const scores = shown.map((response) => (response === "good" ? 8 : 3));
      const box = prompt.startsWith("winner") ? shown.indexOf("good") + 1 : scores.join(", ");
      return { text: `seed ${seed} \\boxed{${box}}`, meta: 0.5 };
    },
    { hasHead },
  );
  const all: GrmJudgeOptions = { k: 4, seed: 0, reference: false, ...options };
  return { engine, judge: new GrmJudge(Grm.over(engine, template), "fake", { kind: "grm" }, all) };
}

const item = (id: string): Item => ({
  id,
  query: "q",
  responses: ["bad", "good"],
  label: 1,
  reference: "the answer",
});

describe("GrmJudge", () => {
  test("records samples in the original order of the responses, each order half of the time", async () => {
    const { judge } = judgeOver();
    const samples = await judge.judge(item("a"));
    expect(samples.map(({ scores }) => scores)).toEqual(Array(4).fill([3, 8]));
    expect(samples.filter(({ order }) => order![0] === 0)).toHaveLength(2);
    expect(samples[0]).toMatchObject({
      meta: 0.5,
      text: expect.stringContaining("boxed"),
      tokens: expect.any(Number),
    });
  });

  test("an item's samples do not depend on the others", async () => {
    const alone = await judgeOver().judge.judge(item("b"));
    const { judge } = judgeOver();
    const [, among] = await Promise.all([
      judge.judge(item("a")),
      judge.judge(item("b")),
      judge.judge(item("c")),
    ]);
    expect(among).toEqual(alone);
    expect(new Set(alone.map(({ seed }) => seed)).size).toBe(4);
    expect((await judge.judge(item("a")))[0]!.seed).not.toBe(alone[0]!.seed);
  });

  test.each<[Partial<GrmJudgeOptions>, string]>([
    [{}, "scores|true||"],
    [{ principles: false }, "scores|false||"],
    [{ principles: "Be right." }, "scores|true|Be right.|"],
    [{ reference: true }, "scores|true||the answer"],
    [{ answer: "winner" }, "winner|true||"],
  ])("asks as told: %j", async (options, beginning) => {
    const { engine, judge } = judgeOver(options);
    await judge.judge(item("a"));
    for (const [message] of engine.requests[0]!.prompts)
      expect(message!.content.startsWith(beginning)).toBe(true);
  });

  test.each([
    [1, [32]],
    [3, [4]],
  ])("stops early, with %i items at a time giving the engine %j samples", async (concurrency, waves) => {
    const { engine, judge } = judgeOver({ k: 32, flipRisk: 0.002, concurrency });
    const samples = await judge.judge(item("a"));
    expect(samples).toHaveLength(4);
    expect(engine.requests.map((request) => request.samples.length)).toEqual(waves);
  });

  test.each([
    [8, 8, 2],
    [32, 4, 4],
    [100, 4, 4],
  ])("decides early by the vote of the %i that the meta RM lets in", async (kMeta, drawn, counted) => {
    const { judge } = judgeOver({ k: 32, flipRisk: 0.002, kMeta }, true);
    const verdict = await judge.verdict(item("a"));
    expect(verdict).toMatchObject({ drawn, kMeta: counted });
    expect(verdict.samples.filter((sample) => sample.counted)).toHaveLength(counted);
  });

  test("has no vote of a meta RM without one", async () => {
    const grm = Grm.over(new FakeEngine(() => ""), template);
    const options = { k: 4, seed: 0, reference: false, kMeta: 2, flipRisk: 0.002 };
    await expect(GrmJudge.over(grm, {}, options)).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: "Expected a judge with a meta RM for kMeta but received 2",
    });
  });

  test("a pairwise judge's verdicts are votes", async () => {
    const samples = await judgeOver({ answer: "winner" }).judge.judge(item("a"));
    expect(samples.map(({ scores }) => scores)).toEqual(Array(4).fill([0, 1]));
  });
});
