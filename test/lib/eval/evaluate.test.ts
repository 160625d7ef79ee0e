import { readFileSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { custom } from "../../../lib/eval/benchmarks/custom.js";
import { CreditsById, compareWith, comparisonOf } from "../../../lib/eval/compare.js";
import { curveSizes } from "../../../lib/eval/curve.js";
import { type EvaluateOptions, evaluate } from "../../../lib/eval/evaluate.js";
import { markupOf } from "../../../lib/eval/markup.js";
import type { SampleRecord } from "../../../lib/records.js";
import { uniform } from "../../../lib/vote/draw.js";
import { Summarizer } from "../../../lib/vote/summary.js";
import { temporaryFolder } from "./temporary_folder.js";

const folder = temporaryFolder();
let files = 0;

interface Case {
  id?: string;
  subset?: string;
  responses?: string[];
  label: number | number[] | null;
  k?: number;
  samples: (Partial<SampleRecord> & { scores: SampleRecord["scores"] })[];
}

function write(cases: Case[], judged: Case[] = cases) {
  const name = `set-${files++}`;
  const full = (list: Case[]) =>
    list.map((one, index) => ({ id: `item-${index}`, responses: ["first", "second"], ...one }));
  const data = folder.writeLines(
    `${name}/rows.jsonl`,
    full(cases).map(({ samples: _, k: _k, ...row }) => ({ query: "q", ...row })),
  );
  const judgements = folder.writeLines(
    `${name}/judgements.jsonl`,
    full(judged).map(({ id, subset, responses, label, k, samples }) => ({
      ...{ id, subset, n: responses.length, label, k },
      samples: samples.map((sample) => ({ meta: null, ...sample })),
    })),
  );
  return { data, judgements };
}

async function measure(cases: Case[], options: EvaluateOptions = {}) {
  const { data, judgements } = write(cases);
  return evaluate(custom, data, judgements, options);
}

const random: Case[] = Array.from({ length: 200 }, (_, index) => ({
  label: index % 2,
  subset: index % 3 === 0 ? "a" : "b",
  samples: Array.from({ length: 6 }, (_, sample) => ({
    order: sample % 2 === 0 ? [0, 1] : [1, 0],
    scores:
      uniform(index, sample, 5) < 0.1
        ? null
        : [0, 1].map((r) => 1 + Math.floor(9 * uniform(index, sample, r))),
    meta: uniform(index, sample, 9),
  })),
}));

describe("evaluate", () => {
  test.each<EvaluateOptions>([
    {},
    { k: 3, ties: "lose" },
    { ties: "random", seed: 4 },
    { aggregate: "mean", kMeta: 2 },
  ])("has the figures of the vote: %j", async (options) => {
    const summarizer = new Summarizer(options);
    for (const { label, subset, samples } of random)
      summarizer.add({ n: 2, label, subset, samples: samples.map((sample) => ({ meta: null, ...sample })) });
    const { bySubset, ...all } = summarizer.summary();
    const metrics = await measure(random, options);
    expect(metrics).toMatchObject(all);
    for (const [name, figures] of Object.entries(bySubset))
      expect(metrics.bySubset[name]).toMatchObject(figures);
    expect(metrics.tiePolicies[options.ties ?? "share"].accuracy).toBe(metrics.accuracy);
    for (const interval of [metrics.accuracyInterval, metrics.bySubset.a!.aucInterval])
      expect(interval).not.toBeNull();
  });

  test("derives every k from the samples of the largest", async () => {
    const { curve } = await measure(random);
    expect(curve.map(({ k, meta }) => `${k}${meta ? "m" : ""}`)).toEqual([
      "1",
      "1m",
      "2",
      "2m",
      "4",
      "4m",
      "6",
      "6m",
    ]);
    const unrated = random.map((one) => ({
      ...one,
      samples: one.samples.map((sample) => ({ ...sample, meta: null })),
    }));
    for (const k of [1, 2, 4, 6]) {
      expect(curve.find((point) => point.k === k && !point.meta)!.accuracy).toBe(
        (await measure(unrated, { k })).tiePolicies.share.accuracy,
      );
      expect(curve.find((point) => point.k === k && point.meta)!.accuracy).toBe(
        (await measure(random, { k })).tiePolicies.share.accuracy,
      );
    }
    expect(curveSizes(1)).toEqual([1]);
    expect(curveSizes(8)).toEqual([1, 2, 4, 8]);
  });

  test("votes with what there is of items that were decided early", async () => {
    const whole = { label: 0, samples: Array.from({ length: 8 }, () => ({ scores: [8, 3] })) };
    const early = { label: 0, k: 8, samples: whole.samples.slice(0, 4) };
    const { curve, k, accuracy } = await measure([early, whole]);
    expect({ k, accuracy }).toEqual({ k: 8, accuracy: 1 });
    expect(curve.map((point) => [point.k, point.accuracy, point.items])).toEqual([
      [1, 1, 2],
      [2, 1, 2],
      [4, 1, 2],
      [8, 1, 2],
    ]);
    // Of four samples drawn of eight, a kMeta of four keeps two: those with the highest meta scores.
    const rated = [
      { scores: [1, 9], meta: 0 },
      { scores: [1, 9], meta: 0.1 },
      { scores: [6, 4], meta: 1 },
      { scores: [6, 4], meta: 2 },
    ];
    expect((await measure([{ ...early, samples: rated }], { kMeta: 4 })).accuracy).toBe(1);
    expect((await measure([{ ...early, k: undefined, samples: rated }], { kMeta: 4 })).accuracy).toBe(0);
  });

  test("does not depend on the order of the judgements, and says what is missing", async () => {
    const cases = random.map((one, index) => ({ ...one, id: `id ${index}` }));
    const straight = write(cases);
    const { data, judgements } = write(cases, [...cases].reverse());
    const [first, second] = [
      await evaluate(custom, straight.data, straight.judgements),
      await evaluate(custom, data, judgements),
    ];
    expect(second.accuracy).toBeCloseTo(first.accuracy!, 12);
    expect(second.bias.position).toEqual(first.bias.position);
    expect(second.bias.length.slope.value).toBeCloseTo(first.bias.length.slope.value!, 12);
    const partial = write(cases.slice(0, 9), [...cases.slice(2, 4), ...cases.slice(20, 23)]);
    expect(await evaluate(custom, partial.data, partial.judgements)).toMatchObject({
      items: 2,
      missing: 7,
      unknown: 3,
    });
  });

  test("takes the label of the data, and the n-th judgement of an id for its n-th item", async () => {
    const cases: Case[] = [
      { id: "same", label: 0, samples: [{ scores: [9, 1] }] },
      { id: "same", label: 1, samples: [{ scores: [2, 8] }] },
    ];
    const judged = cases.map((one) => ({ ...one, label: null }));
    const { data, judgements } = write(cases, judged);
    expect(await evaluate(custom, data, judgements)).toMatchObject({ items: 2, accuracy: 1 });
  });

  test("refuses judgements of another number of responses, or leaves them out", async () => {
    const cases: Case[] = [
      { label: 0, samples: [{ scores: [8, 3] }] },
      { label: 0, responses: ["a", "b", "c"], samples: [{ scores: [1, 2, 3] }] },
    ];
    const { data } = write(cases);
    const { judgements } = write([cases[0]!, { label: 0, samples: [{ scores: [1, 2] }] }]);
    await expect(evaluate(custom, data, judgements)).rejects.toMatchObject({
      code: "BAD_RECORD",
      message: `${judgements}:2: wrong count: 2 responses were judged, the data has 3`,
    });
    const metrics = await evaluate(custom, data, judgements, { skipBad: true });
    expect(metrics).toMatchObject({
      items: 1,
      accuracy: 1,
      bad: { count: 1, first: [{ file: judgements, number: 2 }] },
    });
  });

  test("leaves out lines that are no judgements, and counts them", async () => {
    const { data, judgements } = write(random.slice(0, 4));
    const lines = readFileSync(judgements, "utf8").split("\n");
    lines[1] = '{"id":';
    lines[2] = JSON.stringify({ ...JSON.parse(lines[2]!), samples: [{ scores: [1, 2, 3] }] });
    writeFileSync(judgements, lines.join("\n"));
    await expect(evaluate(custom, data, judgements)).rejects.toMatchObject({
      code: "BAD_RECORD",
      message: expect.stringContaining(`${judgements}:2: not a JSON line`),
    });
    expect(await evaluate(custom, data, judgements, { skipBad: true })).toMatchObject({
      items: 2,
      missing: 2,
      bad: {
        count: 2,
        first: [{ number: 2 }, { number: 3, reason: "expected null or 2 numbers for samples[0].scores" }],
      },
    });
  });

  test("an item without a vote is wrong, or left out", async () => {
    const cases: Case[] = [
      { label: 0, samples: [{ scores: [8, 3], meta: 1 }] },
      { label: 1, samples: [{ scores: null }] },
    ];
    const wrong = await measure(cases);
    const vote = { items: 2, skipped: 1, labelled: 1, accuracy: 1 };
    expect(wrong).toMatchObject({
      ...vote,
      scores: [{ value: 0.5 }, {}],
      tiePolicies: { share: { accuracy: 0.5 } },
    });
    expect(wrong.curve).toMatchObject([
      { meta: false, accuracy: 0.5, items: 2 },
      { meta: true, accuracy: 0.5, items: 2 },
    ]);
    const skipped = await measure(cases, { unvoted: "skip" });
    expect(skipped).toMatchObject({
      ...vote,
      scores: [{ value: 1 }, {}],
      tiePolicies: { share: { accuracy: 1 } },
    });
  });

  test("refuses kMeta without meta scores", async () => {
    await expect(measure([{ label: 0, samples: [{ scores: [1, 2] }] }], { kMeta: 1 })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
  });

  test("counts what is invalid, with reasons", async () => {
    const { validity } = await measure([
      {
        label: 0,
        samples: [
          { scores: null, reason: "no-scores", text: "I'm sorry, but I can't help with that." },
          { scores: null },
          { scores: [3, null] },
          { scores: [3, 4] },
        ],
      },
    ]);
    expect(validity).toMatchObject({
      samples: 4,
      invalid: 2,
      invalidShare: 0.5,
      reasons: { "no-scores": 1, unknown: 1 },
      missingScores: 1,
      refusals: { value: 1, count: 1 },
    });
  });
});

describe("bias", () => {
  const orders = [
    [0, 1],
    [1, 0],
  ];

  test("a judge of positions", async () => {
    const cases = random.map(({ label }) => ({
      label,
      samples: orders.map((order) => ({ order, scores: order[0] === 0 ? [8, 4] : [4, 8] })),
    }));
    const { bias } = await measure(cases);
    expect(bias.position).toMatchObject({
      consistency: { value: 0, count: 200 },
      preference: { value: 1, count: 200 },
      firstShown: { value: 1, count: 400 },
      accuracyRightFirst: { value: 1 },
      accuracyRightSecond: { value: 0 },
    });
  });

  test("a judge of length gives one point for each doubling", async () => {
    const cases: Case[] = [3, 4, 5, 6].flatMap((exponent) =>
      [0, 1].map((label) => ({
        label,
        responses: ["x".repeat(2 ** exponent - 1), "x".repeat(2 ** (exponent + 2) - 1)],
        samples: [{ scores: [5, 7] }],
      })),
    );
    const { bias } = await measure(cases);
    expect(bias.length.slope.value).toBeCloseTo(1, 10);
    expect(bias.length.slope.interval![0]).toBeCloseTo(1, 6);
    expect(bias.length.accuracyRightMore).toMatchObject({ value: 1, count: 4 });
    expect(bias.length.accuracyRightLess).toMatchObject({ value: 0, count: 4 });
    expect(bias.length.accuracyBalanced).toMatchObject({ value: 0.5, count: 8 });
    expect(bias.length.rightHasMore.value).toBe(0.5);
    expect(bias.style.slope.value).toBeNull();
  });

  test("markup is counted where it is", () => {
    expect(markupOf("# Title\n\n- one\n- **two**\n1. three\n> quote\n```\ncode\n```")).toBe(9);
    expect(markupOf("plain - text with 2. numbers # and signs")).toBe(0);
  });
});

test("margins tell the sure votes from the others", async () => {
  const cases: Case[] = [
    ...Array.from({ length: 10 }, () => ({ label: 0, samples: [{ scores: [9, 4] }] })),
    ...Array.from({ length: 10 }, (_, index) => ({ label: index % 2, samples: [{ scores: [6, 5] }] })),
  ];
  const { margin, agreement } = await measure(cases);
  expect(margin.auc).toBe((0.5 * 5 * 5 + 10 * 5) / (15 * 5));
  expect(margin.calibration.filter(({ items }) => items > 0)).toMatchObject([
    { from: 1, to: 1.5, items: 10, accuracy: 0.5 },
    { from: 4, to: 6, items: 10, accuracy: 1 },
  ]);
  expect(margin.aucInterval![0]).toBeLessThan(margin.auc!);
  expect(margin.abstention).toMatchObject([
    { coverage: 0.5, accuracy: 1, margin: 5 },
    { coverage: 1, accuracy: 0.75, margin: 1 },
  ]);
  expect(agreement.withLabel.value).toBeCloseTo(0.5, 12);
});

test("texts give scores, lengths and principles", async () => {
  const text =
    "Principles:\n1. Accuracy (weight: 60%): so\n2. Style (weight: 40%): so\n\nScores: \\boxed{8, 5}";
  const other = "Principles:\n1. **accuracy** (weight: 20%): so\n\nScores: \\boxed{3, 5}";
  const { texts } = await measure([
    {
      label: 0,
      samples: [
        { scores: [8, 5], text, tokens: 100 },
        { scores: [3, 5], text: other, tokens: 300 },
      ],
    },
  ]);
  expect(texts.principles).toEqual([
    { name: "Accuracy", count: 2, meanWeight: 40 },
    { name: "Style", count: 1, meanWeight: 40 },
  ]);
  expect(texts.scores).toContainEqual({ score: 5, right: 0, wrong: 2, unlabelled: 0 });
  expect(texts.lengths).toMatchObject({
    unit: "tokens",
    mean: 200,
    longest: 300,
  });
  expect(texts.lengths!.bins.filter(({ count }) => count > 0)).toEqual([
    { from: 91, to: 108, count: 1 },
    { from: 256, to: 305, count: 1 },
  ]);
  expect(texts.lengths!.bins).toHaveLength(7);
});

test("agreement of samples, in all and in the same order", async () => {
  const orders = [
    [0, 1],
    [1, 0],
  ];
  const { agreement } = await measure([
    {
      label: 0,
      // Always the first shown: the four samples agree in 2 of 6 pairs, those of one order always.
      samples: [0, 1, 0, 1].map((order) => ({
        order: orders[order]!,
        scores: order === 0 ? [8, 4] : [4, 8],
      })),
    },
    { label: 1, samples: [{ scores: [2, 6] }, { scores: [4, 6] }] },
  ]);
  expect(agreement.amongSamples).toMatchObject({ value: ((2 / 6 - 0.5) / 0.5 + 1) / 2, count: 2 });
  expect(agreement.sameOrder).toMatchObject({ value: 1, count: 2 });
  // Squares about the means: 2 x 16 for the first item over 6 degrees of freedom, 2 for the second over 2.
  expect(agreement.scoreDeviation.value).toBeCloseTo(Math.sqrt((2 * 16 + 2) / 8), 12);
});

describe("comparison", () => {
  test("of credits", () => {
    const comparison = comparisonOf([1, 1, 1, 0, 0.5, 1], [0, 0, 1, 1, 1, 1]);
    expect(comparison).toMatchObject({ items: 6, onlyThis: 2, onlyOther: 1, p: 1 });
    expect(comparison.difference).toBeCloseTo(4.5 / 6 - 4 / 6, 12);
    for (const interval of [comparison.accuracyInterval, comparison.kappaInterval])
      expect(interval![0]).toBeLessThan(interval![1]);
    expect(comparisonOf([], [])).toMatchObject({
      items: 0,
      difference: null,
      differenceInterval: null,
      p: 1,
    });
  });

  test("of recorded judgements, item by item", async () => {
    const mirrored = random.map((one) => ({
      ...one,
      samples: one.samples.map((sample) => ({
        ...sample,
        scores: sample.scores && [...sample.scores].reverse(),
      })),
    }));
    const { data, judgements } = write(random);
    const other = write(mirrored);
    const credits = new CreditsById();
    const { accuracy } = await evaluate(custom, data, judgements, {
      onItem: (judged) => credits.add(judged),
    });
    const comparison = await compareWith(credits, custom, data, other.judgements);
    expect(comparison.accuracy).toBe(accuracy);
    expect(comparison.otherAccuracy).toBeCloseTo(1 - accuracy!, 12);
    expect(comparison.onlyThis + comparison.onlyOther).toBeGreaterThan(100);
    expect(comparison.kappa).toBeLessThan(-0.9);
  });

  async function againstItself(cases: Case[], options: EvaluateOptions) {
    const { data, judgements } = write(cases);
    const credits = new CreditsById(options);
    await evaluate(custom, data, judgements, { ...options, onItem: (judged) => credits.add(judged) });
    return compareWith(credits, custom, data, judgements, options);
  }

  test("draws no ties on either side", async () => {
    const tied = Array.from({ length: 20 }, () => ({ label: 0, samples: [{ scores: [5, 5] }] }));
    const comparison = await againstItself(tied, { ties: "random", seed: 4 });
    expect(comparison).toMatchObject({ items: 20, accuracy: 0.5, otherAccuracy: 0.5, difference: 0 });
  });

  test("lets the meta RM keep the same share of an item that stopped early, on both sides", async () => {
    // One of the two samples drawn of four: the one that is right.
    const samples = [
      { scores: [9, 2], meta: 1 },
      { scores: [1, 10], meta: 0 },
    ];
    const comparison = await againstItself([{ label: 0, k: 4, samples }], { kMeta: 2 });
    expect(comparison).toMatchObject({ items: 1, accuracy: 1, otherAccuracy: 1 });
  });
});
