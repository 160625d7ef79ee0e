import { beforeAll, describe, expect, test } from "vitest";
import { Grm } from "../../lib/judge.js";
import type { Manifest } from "../../lib/models.js";
import type { PromptTemplate } from "../../lib/prompt/template.js";
import { loadTemplate } from "../../lib/templates.js";
import type { Query, Sample } from "../../lib/types.js";
import { type Asked, FakeEngine } from "./fake_engine.js";

let template: PromptTemplate;
beforeAll(async () => {
  template = await loadTemplate("compact");
});

const pair: Query = { query: "Which is larger?", responses: ["apple", "melon"] };

/** Gives each fruit its score, in the order shown. */
const worth: Record<string, number> = { apple: 3, melon: 8, grape: 1, peach: 5 };
function scoreFruit({ prompt }: Asked): string {
  const shown = [...prompt.matchAll(/^Response \d+:\n(\w+)$/gm)].map(([, fruit]) => worth[fruit!]);
  return `Scores: \\boxed{${shown.join(", ")}}`;
}

function grm(
  answer: ConstructorParameters<typeof FakeEngine>[0],
  options: { hasHead?: boolean; manifest?: Manifest } = {},
) {
  const engine = new FakeEngine(answer, options);
  return { engine, grm: Grm.over(engine, template, options.manifest) };
}

describe("judge", () => {
  test("shows a pair both ways, half each, and undoes the order", async () => {
    const { engine, grm: judge } = grm(scoreFruit);
    const verdict = await judge.judge(pair, { k: 4, seed: 10 });
    expect(verdict).toMatchObject({ best: 1, ties: [], scores: [12, 32], valid: 4, k: 4, kMeta: null });
    expect(
      verdict.samples.map(({ order, seed, scores, counted }) => ({ order, seed, scores, counted })),
    ).toEqual([
      { order: [0, 1], seed: 10, scores: [3, 8], counted: true },
      { order: [1, 0], seed: 11, scores: [3, 8], counted: true },
      { order: [0, 1], seed: 12, scores: [3, 8], counted: true },
      { order: [1, 0], seed: 13, scores: [3, 8], counted: true },
    ]);
    expect(engine.requests[0]!.prompts.map(([message]) => message!.content)).toEqual([
      "Query:\nWhich is larger?\nResponse 1:\napple\nResponse 2:\nmelon\n",
      "Query:\nWhich is larger?\nResponse 1:\nmelon\nResponse 2:\napple\n",
    ]);
    expect(verdict.usage).toMatchObject({ promptTokens: 400, promptTokensComputed: 200 });
  });

  test("puts each of four responses everywhere equally often", async () => {
    const { grm: judge } = grm(scoreFruit);
    const query = { query: "Which?", responses: ["apple", "melon", "grape", "peach"] };
    const verdict = await judge.judge(query, { k: 8 });
    expect(verdict.scores).toEqual([24, 64, 8, 40]);
    for (let position = 0; position < 4; position++) {
      const shown = verdict.samples.map(({ order }) => order[position]!);
      for (let response = 0; response < 4; response++)
        expect(shown.filter((index) => index === response)).toHaveLength(2);
    }
  });

  test("shows orderings that are given", async () => {
    const { engine, grm: judge } = grm(scoreFruit);
    expect((await judge.judge(pair, { k: 3, orderings: 1 })).samples.map(({ order }) => order)).toEqual(
      Array.from({ length: 3 }, () => [0, 1]),
    );
    await judge.judge(pair, { k: 3, orderings: [[1, 0]] });
    expect(engine.requests[1]!.prompts).toHaveLength(1);
    await expect(judge.judge(pair, { orderings: [[0, 0]] })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
  });

  test("leaves failed samples out and says why they failed", async () => {
    const { grm: judge } = grm((asked) =>
      asked.sample === 1 ? "Scores: \\boxed{8}" : asked.sample === 2 ? "…" : scoreFruit(asked),
    );
    const verdict = await judge.judge(pair, { k: 4 });
    expect(verdict).toMatchObject({ scores: [6, 16], valid: 2, k: 4 });
    expect(verdict.samples.map(({ reason }) => reason)).toEqual([
      undefined,
      "wrong-count",
      "no-scores",
      undefined,
    ]);
    expect(verdict.samples.map(({ counted }) => counted)).toEqual([true, false, false, true]);
  });

  test("has no verdict when every sample failed", async () => {
    const { grm: judge } = grm(() => "I would rather not say.");
    expect(await judge.judge(pair, { k: 2 })).toMatchObject({ best: null, ties: [], scores: null, valid: 0 });
  });

  test("lets the meta RM choose half of the samples, or as many as asked", async () => {
    const metas = [0.1, 0.9, 0.8, -3];
    const scores = ["9, 1", "9, 1", "1, 9", "9, 1"];
    const { grm: judge } = grm(
      ({ sample }) => ({ text: `\\boxed{${scores[sample]}}`, meta: metas[sample] }),
      { hasHead: true },
    );
    const half = await judge.judge(pair, { k: 4 });
    expect(half).toMatchObject({ kMeta: 2, scores: [2, 18], best: 1 });
    expect(half.samples.map(({ counted }) => counted)).toEqual([false, true, true, false]);
    expect(await judge.judge(pair, { k: 4, kMeta: 4 })).toMatchObject({ kMeta: 4, scores: [12, 28] });
  });

  test("draws among equals by the seed", async () => {
    const { grm: judge } = grm(() => "\\boxed{5, 5}");
    const best = await Promise.all(
      Array.from({ length: 200 }, (_, seed) => judge.judge(pair, { k: 1, seed })),
    );
    expect(best[0]!.ties).toEqual([0, 1]);
    const first = best.filter((verdict) => verdict.best === 0).length;
    expect(first).toBeGreaterThan(70);
    expect(first).toBeLessThan(130);
    expect((await judge.judge(pair, { k: 1, seed: 7 })).best).toBe(best[7]!.best);
  });

  test("reads winners and correctness", async () => {
    const winner = grm(({ prompt }) => (prompt.includes("1:\nmelon") ? "\\boxed{1}" : "\\boxed{2}"));
    expect(await winner.grm.judge(pair, { k: 4, answer: "winner" })).toMatchObject({
      best: 1,
      scores: [0, 4],
    });
    const correct = grm(({ sample }) => (sample === 0 ? "\\boxed{7}" : "\\boxed{1}"));
    const verdict = await correct.grm.judge(
      { query: "1 + 1", responses: ["2"] },
      { k: 2, answer: "correctness" },
    );
    expect(verdict).toMatchObject({ scores: [1], valid: 1 });
    expect(verdict.samples[0]!.reason).toBe("out-of-range");
  });

  test("clamps when asked to", async () => {
    const { grm: judge } = grm(() => "\\boxed{11, 5}");
    expect((await judge.judge(pair, { k: 1 })).valid).toBe(0);
    expect((await judge.judge(pair, { k: 1, outOfRange: "clamp" })).scores).toEqual([10, 5]);
  });

  test("takes what is given before what the model recommends before the defaults", async () => {
    const manifest = { sampling: { temperature: 0.9, topK: 20 }, maxTokens: 77 };
    const { engine, grm: judge } = grm(scoreFruit, { manifest });
    await judge.judge(pair, { topK: 5 });
    const { sampling, maxTokens, samples } = engine.requests[0]!;
    expect(sampling).toEqual({ temperature: 0.9, topK: 5, topP: 1, minP: 0, order: "temperature-first" });
    expect({ maxTokens, k: samples.length }).toEqual({ maxTokens: 77, k: 8 });
  });

  test("hands samples over as they finish", async () => {
    const { grm: judge } = grm(scoreFruit);
    const seen: [number, Sample][] = [];
    const verdict = await judge.judge(pair, {
      k: 3,
      onSample: (sample, index) => seen.push([index, sample]),
    });
    expect(seen.map(([index]) => index)).toEqual([2, 1, 0]);
    for (const [index, sample] of seen) expect(sample).toBe(verdict.samples[index]);
  });

  test("throws on what the callback throws, and stops", async () => {
    const { engine, grm: judge } = grm(scoreFruit);
    const problem = new Error("mine");
    const judging = judge.judge(pair, {
      k: 8,
      onSample: () => {
        throw problem;
      },
    });
    await expect(judging).rejects.toBe(problem);
    expect(engine.running).toBe(0);
  });

  test("rejects with CANCELLED, keeping the signal's reason, and with CLOSED", async () => {
    const controller = new AbortController();
    const cancelling = grm((asked) => {
      controller.abort("enough");
      return scoreFruit(asked);
    });
    await expect(cancelling.grm.judge(pair, { signal: controller.signal })).rejects.toMatchObject({
      code: "CANCELLED",
      cause: "enough",
    });
    const closing = grm(async (asked) => {
      await closing.grm.close();
      return scoreFruit(asked);
    });
    await expect(closing.grm.judge(pair)).rejects.toMatchObject({ code: "CLOSED" });
  });

  test("closes its engine at the end of an await using block", async () => {
    const { engine, grm: judge } = grm(scoreFruit);
    await judge[Symbol.asyncDispose]();
    expect(engine.closed).toBe(true);
  });
});

test.each([
  [{ k: 0 }, "Expected an integer from 1 to 65536 for k but received 0"],
  [{ k: 1.5 }, "for k but received 1.5"],
  [{ k: "8" }, 'for k but received "8"'],
  [{ seed: -1 }, "for seed but received -1"],
  [{ temperature: Number.NaN }, "Expected a finite number of at least 0 for temperature but received NaN"],
  [{ temperature: -0.1 }, "for temperature"],
  [{ temperature: Number.POSITIVE_INFINITY }, "for temperature but received Infinity"],
  [{ topP: 0 }, "Expected a number above 0 and at most 1 for topP but received 0"],
  [{ topP: 1.1 }, "for topP"],
  [{ topK: -1 }, "for topK"],
  [{ minP: 2 }, "for minP"],
  [
    { order: "sideways" },
    'Expected one of "temperature-first", "temperature-last" for order but received "sideways"',
  ],
  [{ maxTokens: 0 }, "for maxTokens"],
  [{ orderings: 0 }, "for orderings"],
  [{ orderings: [] }, "for orderings but received an empty array"],
  [{ answer: "essay" }, "for answer"],
  [{ kMeta: 9, k: 8 }, "Expected at most k (8) for kMeta but received 9"],
  [{ kMeta: 2 }, "Expected a judge with a meta RM for kMeta but received 2"],
  [{ signal: {} }, "Expected an AbortSignal for signal but received an object of type Object"],
  [{ onSample: 1 }, "Expected a function for onSample but received 1"],
  [{ temprature: 1 }, 'but received "temprature"'],
  [[], "Expected an object for options but received an empty array"],
])("options %j are refused", async (options, message) => {
  const { engine, grm: judge } = grm(scoreFruit);
  const refused = expect(judge.judge(pair, options as never)).rejects;
  await refused.toMatchObject({ code: "INVALID_ARGUMENT", message: expect.stringContaining(message) });
  expect(engine.requests).toHaveLength(0);
});

test.each([
  [null, "for query but received null"],
  [{ query: "", responses: ["a"] }, 'Expected a non-empty string for query but received ""'],
  [{ query: [], responses: ["a"] }, "at least one message"],
  [{ query: [{ role: "user" }], responses: ["a"] }, "for content but received undefined"],
  [{ query: "q", responses: [] }, "for responses but received an empty array"],
  [{ query: "q", responses: ["a", ""] }, 'for responses[1] but received ""'],
  [{ query: "q", responses: "a" }, 'for responses but received "a"'],
  [{ query: "q", responses: ["a"], reference: "" }, "for reference"],
  [{ query: "q", responses: ["a"], principles: [] }, "for principles"],
  [{ query: "q", responses: ["a"], principles: [{ name: "x", weight: "2" }] }, "for weight"],
  [
    { query: "q", responses: ["a"], hint: { best: 1 } },
    "Expected an index below 1 for hint.best but received 1",
  ],
  [{ query: "q", responses: ["a"], references: "x" }, 'but received "references"'],
])("query %j is refused", async (query, message) => {
  const { grm: judge } = grm(scoreFruit);
  const refused = expect(judge.judge(query as never)).rejects;
  await refused.toMatchObject({ code: "INVALID_ARGUMENT", message: expect.stringContaining(message) });
});

test.each([
  ["winner", ["a"]],
  ["correctness", ["a", "b"]],
] as const)("the answer %s needs another number of responses than %j", async (answer, responses) => {
  const { grm: judge } = grm(scoreFruit);
  await expect(judge.judge({ query: "q", responses }, { answer })).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
  });
});
