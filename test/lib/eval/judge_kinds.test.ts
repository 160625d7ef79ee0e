import { describe, expect, test } from "vitest";
import type { Engine, ScoreOptions } from "../../../lib/engine/engine.js";
import type { Item } from "../../../lib/eval/benchmark.js";
import { custom } from "../../../lib/eval/benchmarks/custom.js";
import { evaluate } from "../../../lib/eval/evaluate.js";
import { AllPairs } from "../../../lib/eval/judges/all_pairs.js";
import { GrmJudge } from "../../../lib/eval/judges/grm.js";
import { findJudgeKind, judgeKinds } from "../../../lib/eval/judges/index.js";
import { TokenProbabilityJudge } from "../../../lib/eval/judges/token_probability.js";
import { run } from "../../../lib/eval/run.js";
import { Grm } from "../../../lib/judge.js";
import { loadTemplate } from "../../../lib/templates.js";
import type { Message } from "../../../lib/types.js";
import { type Asked, FakeEngine } from "../fake_engine.js";
import { temporaryFolder } from "./temporary_folder.js";

const folder = temporaryFolder();

/** The response of the two with the larger number wins, whatever its place; `mute` never gets an answer. */
function larger({ prompt }: Asked): string {
  const shown = [...prompt.matchAll(/^Response \d+:\n(\S+)$/gm)].map(([, text]) => text!);
  if (shown.includes("mute")) return "I cannot tell.";
  return `Critique:\n…\nWinner: \\boxed{${Number(shown[0]) > Number(shown[1]) ? 1 : 2}}`;
}

async function pairwise(answer: (asked: Asked) => string = larger, k = 4) {
  const engine = new FakeEngine(answer);
  const grm = Grm.over(engine, await loadTemplate("compact"));
  const ofTwo = new GrmJudge(
    grm,
    "fake",
    { kind: "grm" },
    { k, seed: 0, reference: false, answer: "winner" },
  );
  return { engine, judge: new AllPairs("pairwise", ofTwo) };
}

const item = (responses: string[], label: Item["label"] = null): Item => ({
  id: "a",
  query: "q",
  responses,
  label,
});

describe("the pairwise judge", () => {
  test("asks for the winner of two in both orders", async () => {
    const { engine, judge } = await pairwise();
    const samples = await judge.judge(item(["3", "7"]));
    expect(samples.map(({ scores }) => scores)).toEqual(Array(4).fill([0, 1]));
    const prompts = engine.requests[0]!.prompts.map(([message]) => message!.content).sort();
    expect(prompts).toEqual([
      "Query:\nq\nResponse 1:\n3\nResponse 2:\n7\nWinner:\n",
      "Query:\nq\nResponse 1:\n7\nResponse 2:\n3\nWinner:\n",
    ]);
    expect(judge.identity).toMatchObject({ kind: "pairwise" });
  });

  test("plays every pair of more responses and counts the wins", async () => {
    const { engine, judge } = await pairwise();
    const samples = await judge.judge(item(["3", "7", "9", "1"]));
    expect(samples.map(({ scores }) => scores)).toEqual(Array(4).fill([1, 2, 3, 0]));
    expect(engine.requests).toHaveLength(6);
    const seeds = new Set(engine.requests.map((request) => request.samples[0]!.seed));
    expect(seeds.size).toBe(6);
    expect(samples[0]).toMatchObject({ meta: null, text: expect.stringContaining("1 against 4:\nCritique") });
    expect(samples[0]!.pairs).toHaveLength(6);
  });

  test("a sample without one of its pairs is no sample", async () => {
    const { judge } = await pairwise();
    const [sample] = await judge.judge(item(["3", "mute", "9"]));
    expect(sample).toMatchObject({ scores: null, reason: "no-scores" });
    expect(sample!.pairs).toBeUndefined();
  });

  test("refuses a single response", async () => {
    const { judge } = await pairwise();
    await expect(judge.judge(item(["3"]))).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  test("the report says how often the right response wins each of its pairs", async () => {
    // c loses always; b beats a in every second sample.
    const even = ({ prompt, sample }: Asked) => {
      const shown = [...prompt.matchAll(/^Response \d+:\n(\S+)$/gm)].map(([, text]) => text!);
      const other = sample % 2 === 1 && shown.includes("b") ? "b" : "a";
      const winner = shown.includes("c") ? shown.find((text) => text !== "c")! : other;
      return `\\boxed{${shown.indexOf(winner) + 1}}`;
    };
    const data = folder.writeLines("rows.jsonl", [
      { id: "1", query: "q", responses: ["a", "b", "c"], label: 0 },
      { id: "2", query: "q", responses: ["a", "c", "d"], label: 0 },
    ]);
    const { judge } = await pairwise(even);
    const metrics = await evaluate(custom, data, await run(custom, data, judge, folder.path("run")));
    expect(metrics).toMatchObject({
      items: 2,
      skipped: 0,
      accuracy: 0.75,
      everyPair: { value: 0.5, count: 2 },
    });
  });
});

/** One token for each character. What a verdict is worth depends on the last letter before its box. */
function characters(
  engine: FakeEngine,
  verdict: (prompt: string, answer: string) => [number, number],
): Engine {
  const tokenize = async (text: string) => Int32Array.from(text, (letter) => letter.charCodeAt(0));
  const score = async (
    prompt: Message[],
    continuations: readonly Int32Array[],
    options: ScoreOptions = {},
  ) => {
    expect(continuations.map((tokens) => String.fromCharCode(...tokens))).toEqual(["1", "2"]);
    return Float64Array.from(verdict(prompt[0]!.content, String.fromCharCode(...options.answer!)), Math.log);
  };
  const sample: Engine["sample"] = (request, onCompletion, signal) =>
    engine.sample(
      request,
      (completion) =>
        onCompletion({
          ...completion,
          tokenIds: Int32Array.from(completion.text, (letter) => letter.charCodeAt(0)),
        }),
      signal,
    );
  return { info: engine.info, sample, score, tokenize, close: () => engine.close() };
}

describe("the judge by token probability", () => {
  const request = { k: 4, seed: 0, reference: false };
  const open = async (engine: Engine) => ({ engine, template: await loadTemplate("compact"), manifest: {} });

  test("weighs the verdict behind each critique, in both orders", async () => {
    const asked: string[] = [];
    const engine = characters(new FakeEngine(larger), (prompt, answer) => {
      asked.push(prompt);
      expect(answer).toBe("Critique:\n…\nWinner: \\boxed{");
      return prompt.includes("Response 1:\n7") ? [0.6, 0.2] : [0.1, 0.4];
    });
    const judge = await TokenProbabilityJudge.over(await open(engine), {}, request);
    const samples = await judge.judge(item(["3", "7"]));
    expect(new Set(asked).size).toBe(2);
    for (const { order, scores } of samples) {
      expect(scores![0]).toBeCloseTo(order![0] === 1 ? 0.25 : 0.2, 12);
      expect(scores![1]).toBeCloseTo(order![0] === 1 ? 0.75 : 0.8, 12);
    }
    expect(samples.filter(({ order }) => order![0] === 1)).toHaveLength(2);
  });

  test("says why there is nothing to weigh", async () => {
    const answers = ["no box", "\\boxed{ two }", "\\boxed{02}", "\\boxed{2.0}"];
    const engine = characters(new FakeEngine(({ sample }) => answers[sample]!), () => [0.5, 0.5]);
    const judge = await TokenProbabilityJudge.over(await open(engine), {}, request);
    const samples = await judge.judge(item(["3", "7"]));
    expect(samples.map(({ scores, reason }) => reason ?? scores)).toEqual([
      "no-scores",
      "not-a-number",
      [0.5, 0.5],
      [0.5, 0.5],
    ]);
  });

  test("a verdict that is not a token of its own is no sample", async () => {
    const engine = characters(new FakeEngine(() => "\\boxed{2}"), () => [0.5, 0.5]);
    const merged = { ...engine, tokenize: async (text: string) => Int32Array.of(999 + text.length) };
    const judge = await TokenProbabilityJudge.over(await open(merged), {}, request);
    expect((await judge.judge(item(["3", "7"])))[0]).toMatchObject({
      scores: null,
      reason: "no-verdict-token",
    });
  });

  test("at once, it asks for one verdict in each order", async () => {
    const fake = new FakeEngine(larger);
    const engine = characters(fake, (prompt, answer) => {
      expect(answer).toBe("Winner: \\boxed{");
      return prompt.includes("Response 1:\n7") ? [0.6, 0.2] : [0.1, 0.4];
    });
    const judge = await TokenProbabilityJudge.over(await open(engine), {}, request, "Winner: \\boxed{");
    const samples = await judge.judge(item(["3", "7"]));
    expect(judge.k).toBe(2);
    expect(samples.map(({ order, scores }) => [order, scores!.map((share) => share!.toFixed(2))])).toEqual([
      [
        [0, 1],
        ["0.20", "0.80"],
      ],
      [
        [1, 0],
        ["0.25", "0.75"],
      ],
    ]);
    expect(fake.requests).toHaveLength(0);
  });

  test("refuses a meta RM", async () => {
    await expect(TokenProbabilityJudge.load({ meta: "fused" }, request)).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: 'Expected no meta RM with a judge by token probability for meta but received "fused"',
    });
  });

  test("refuses an odd number of samples", async () => {
    await expect(TokenProbabilityJudge.load({}, { ...request, k: 3 })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: "Expected an even number, half for each order for samples but received 3",
    });
  });
});

describe("the judge by given principles", () => {
  const judged = async (principles: string | undefined, row: Partial<Item>) => {
    const engine = new FakeEngine(() => "\\boxed{3, 7}");
    const options = { k: 2, seed: 0, reference: false, principles, needsPrinciples: true };
    const judge = new GrmJudge(Grm.over(engine, await loadTemplate("compact")), "fake", {}, options);
    await judge.judge({ ...item(["3", "7"]), ...row });
    return engine.requests[0]!.prompts[0]![0]!.content;
  };

  test("shows those of the file, or of the row", async () => {
    expect(await judged("Be short.", {})).toContain("Principles:\nBe short.\n");
    expect(await judged(undefined, { principles: [{ name: "Truth", weight: 60 }] })).toContain(
      "1. Truth (weight 60)\n",
    );
  });

  test("names the row that has none", async () => {
    await expect(judged(undefined, {})).rejects.toMatchObject({
      code: "NO_PRINCIPLES",
      message: "Expected principles in the row of item a, or for all items",
    });
  });
});

test("every kind has its own name, and others are refused", () => {
  expect(new Set(judgeKinds.map(({ name }) => name)).size).toBe(judgeKinds.length);
  for (const kind of judgeKinds) expect(findJudgeKind(kind.name)).toBe(kind);
  expect(() => findJudgeKind("oracle")).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
});
