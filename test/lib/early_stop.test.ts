// Judging until the vote is decided: what is drawn, looked at, given up and reported.
import { beforeAll, describe, expect, test } from "vitest";
import { formatVerdict } from "../../lib/cli/report.js";
import { Grm } from "../../lib/judge.js";
import type { PromptTemplate } from "../../lib/prompt/template.js";
import { toRecord } from "../../lib/records.js";
import { loadTemplate } from "../../lib/templates.js";
import type { Query } from "../../lib/types.js";
import { type Asked, abandonedTokens, FakeEngine } from "./fake_engine.js";

let template: PromptTemplate;
beforeAll(async () => {
  template = await loadTemplate("compact");
});

const earlyStop = { flipRisk: 0.002 };
const pair: Query = { query: "q", responses: ["better", "worse"] };
const inTurn = (samples: number[]) => samples;

/** Scores in the order shown. */
function score({ prompt }: Asked, better: number, worse: number): string {
  return prompt.includes("1:\nbetter") ? `\\boxed{${better}, ${worse}}` : `\\boxed{${worse}, ${better}}`;
}

function judgeOver(
  answer: ConstructorParameters<typeof FakeEngine>[0],
  options?: ConstructorParameters<typeof FakeEngine>[1],
) {
  const engine = new FakeEngine(answer, options);
  return { engine, grm: Grm.over(engine, template) };
}

describe("a vote that is decided early", () => {
  test("has fewer samples, all of them looked at, and says so", async () => {
    const { grm } = judgeOver((asked) => score(asked, 8, 3), { finishing: inTurn });
    const verdict = await grm.judge(pair, { k: 32, seed: 5, earlyStop });
    expect(verdict).toMatchObject({ best: 0, k: 32, drawn: 4, valid: 4, kMeta: null, scores: [32, 12] });
    expect(verdict.samples.map(({ seed, counted }) => ({ seed, counted }))).toEqual(
      [5, 6, 7, 8].map((seed) => ({ seed, counted: true })),
    );
  });

  test("counts what was generated in vain", async () => {
    const { grm } = judgeOver((asked) => score(asked, 8, 3), { finishing: inTurn });
    const { usage, samples } = await grm.judge(pair, { k: 32, earlyStop });
    const kept = samples.reduce((sum, { tokens }) => sum + tokens, 0);
    expect(usage).toMatchObject({
      abandonedTokens: 28 * abandonedTokens,
      generatedTokens: kept + 28 * abandonedTokens,
      promptTokensComputed: 200,
    });
    const { usage: fixed } = await grm.judge(pair, { k: 4 });
    expect(fixed).not.toHaveProperty("abandonedTokens");
  });

  test("also counts samples that had finished, behind the decisive look", async () => {
    const late = (samples: number[]) => [
      ...samples.slice(4, 10),
      ...samples.slice(0, 4),
      ...samples.slice(10),
    ];
    const { grm } = judgeOver((asked) => score(asked, 8, 3), { finishing: late });
    const seen: number[] = [];
    const verdict = await grm.judge(pair, { k: 32, earlyStop, onSample: (_, index) => seen.push(index) });
    expect(verdict.samples).toHaveLength(4);
    expect(seen).toEqual([4, 5, 6, 7, 8, 9, 0, 1, 2, 3]);
    const { tokens } = verdict.samples[0]!;
    expect(verdict.usage.abandonedTokens).toBe(6 * tokens + 22 * abandonedTokens);
  });

  test.each([
    ["all at once", undefined, [32]],
    ["four at once", 4, [4, 4, 4]],
    ["an odd number at once", 6, [8, 8]],
    ["one at once", 1, [4, 4, 4]],
  ])("is the same whoever finishes first, with %s", async (_, atOnce, waves) => {
    // Leads of 3, 4, 1, -4, then 4 again and again: decided after twelve.
    const leads = [3, 4, 1, -4];
    const answer = (asked: Asked) => score(asked, 5 + (leads[asked.seed] ?? 4), 5);
    const verdicts = [];
    for (const finishing of [inTurn, (samples: number[]) => samples.reverse()]) {
      const { engine, grm } = judgeOver(answer, { finishing });
      const options = atOnce === undefined ? earlyStop : { ...earlyStop, atOnce };
      verdicts.push(await grm.judge(pair, { k: 32, earlyStop: options }));
      expect(engine.requests.map(({ samples }) => samples.length)).toEqual(waves);
    }
    const [first, second] = verdicts.map(({ usage: _usage, ...verdict }) => verdict);
    expect(second).toEqual(first);
    expect(first!.drawn).toBe(12);
  });

  test("looks only where every ordering has been shown equally often", async () => {
    const { engine, grm } = judgeOver(({ prompt }) => {
      const shown = [...prompt.matchAll(/^Response \d+:\n(\w+)$/gm)].map(([, name]) =>
        name === "a" ? 9 : 2,
      );
      return `\\boxed{${shown.join(", ")}}`;
    });
    const query = { query: "q", responses: ["a", "b", "c", "d", "e"] };
    const verdict = await grm.judge(query, { k: 32, earlyStop: { ...earlyStop, atOnce: 4 } });
    expect(verdict).toMatchObject({ best: 0, drawn: 5 });
    expect(engine.requests.map(({ samples }) => samples.map(({ prompt }) => prompt))).toEqual([
      [0, 1, 2, 3, 4],
    ]);
  });

  test("keeps the meta RM's share of the samples drawn", async () => {
    const { grm } = judgeOver(
      (asked) => ({
        text: asked.seed % 4 < 2 ? score(asked, 8, 3) : score(asked, 3, 8),
        meta: -(asked.seed % 4),
      }),
      { hasHead: true },
    );
    const verdict = await grm.judge(pair, { k: 64, earlyStop });
    expect(verdict.drawn).toBeLessThan(64);
    expect(verdict).toMatchObject({ best: 0, kMeta: verdict.drawn / 2 });
    const quarter = await grm.judge(pair, { k: 64, kMeta: 16, earlyStop });
    expect(quarter.kMeta).toBe(quarter.drawn / 4);
  });
});

describe("a vote that is not decided draws everything", () => {
  test.each<[string, Query, (asked: Asked) => string]>([
    ["a tie", pair, (asked) => score(asked, 5, 5)],
    ["a preference for the place", pair, () => "\\boxed{8, 3}"],
    ["no readable scores", pair, () => "none"],
    ["a single response, which has no rival", { query: "q", responses: ["better"] }, () => "\\boxed{8}"],
  ])("%s", async (_, query, answer) => {
    const { engine, grm } = judgeOver(answer);
    const verdict = await grm.judge(query, { k: 16, earlyStop: { ...earlyStop, atOnce: 4 } });
    expect(verdict).toMatchObject({ k: 16, drawn: 16, usage: { abandonedTokens: 0 } });
    expect(engine.requests).toHaveLength(4);
  });
});

test("winners and correctness are votes", async () => {
  const winner = judgeOver(({ prompt }) => (prompt.includes("1:\nbetter") ? "\\boxed{1}" : "\\boxed{2}"));
  expect(await winner.grm.judge(pair, { k: 32, answer: "winner", earlyStop })).toMatchObject({
    best: 0,
    drawn: 8,
    scores: [8, 0],
  });
  const wrong = judgeOver(() => "\\boxed{0}");
  const single = { query: "1 + 1", responses: ["3"] };
  expect(await wrong.grm.judge(single, { k: 32, answer: "correctness", earlyStop })).toMatchObject({
    drawn: 8,
    scores: [0],
  });
});

test("records and reports say how many samples had been asked for", async () => {
  const { grm } = judgeOver((asked) => score(asked, 8, 3), { finishing: inTurn });
  const early = await grm.judge(pair, { k: 32, earlyStop });
  expect(toRecord(early, { id: "a", n: 2 })).toMatchObject({ k: 32, samples: { length: 4 } });
  expect(toRecord(await grm.judge(pair, { k: 4 }), { id: "a", n: 2 })).not.toHaveProperty("k");
  const shown = formatVerdict(early, { width: 80, color: false });
  expect(shown).toContain("(4 of 4 samples valid, decided before the other 28)");
  expect(shown).toContain(`${28 * abandonedTokens} of them for samples given up`);
});

test("errors and cancellation stay what they are", async () => {
  const controller = new AbortController();
  const { grm } = judgeOver(
    (asked) => {
      if (asked.seed === 2) controller.abort("changed my mind");
      return score(asked, 8, 3);
    },
    { finishing: inTurn },
  );
  await expect(grm.judge(pair, { k: 32, earlyStop, signal: controller.signal })).rejects.toMatchObject({
    code: "CANCELLED",
    cause: "changed my mind",
  });
  const failing = judgeOver((asked) => {
    if (asked.seed === 1) throw new Error("broken");
    return score(asked, 8, 3);
  });
  await expect(failing.grm.judge(pair, { k: 32, earlyStop })).rejects.toMatchObject({
    code: "ENGINE_FAILURE",
  });
});

test("judgeMany draws four at a time and has more queries in flight", async () => {
  const { engine, grm } = judgeOver((asked) => score(asked, 8, 3));
  const queries = Array.from({ length: 40 }, () => pair);
  let drawn = 0;
  for await (const verdict of grm.judgeMany(queries, { k: 32, earlyStop })) drawn += verdict.drawn;
  expect(drawn).toBe(160);
  expect(engine.mostRunning).toBe(32);
  expect(engine.requests.every(({ samples }) => samples.length === 4)).toBe(true);
});

test.each([
  [{ flipRisk: 0 }, "Expected a number above 0 and below 1 for flipRisk but received 0"],
  [{ flipRisk: 1 }, "for flipRisk but received 1"],
  [{}, "for flipRisk but received undefined"],
  [{ flipRisk: 0.01, atOnce: 0 }, "Expected an integer of at least 1 for atOnce but received 0"],
  [{ flipRisk: 0.01, wave: 4 }, 'but received "wave"'],
  [0.01, "Expected an object for earlyStop but received 0.01"],
])("earlyStop %j is refused", async (given, message) => {
  const { engine, grm } = judgeOver(() => "");
  await expect(grm.judge(pair, { earlyStop: given as never })).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
    message: expect.stringContaining(message),
  });
  expect(engine.requests).toHaveLength(0);
});
