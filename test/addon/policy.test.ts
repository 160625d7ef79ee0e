// The trainer's policy step as JavaScript sees it: its loss against a plain reference, its log-probabilities against the
// engine's, and what it makes of advantages; wrong use is an error with a code.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Grm } from "../../dist/index.js";
import { loadAddon } from "../../dist/native.js";
import { toBatch } from "../../dist/train/dataset.js";
import { judgeExamples } from "../../dist/train/default_judge.js";
import { writeGgufMetadata } from "../../dist/train/gguf_metadata.js";
import { judgeVocabulary } from "../../dist/train/judge_vocabulary.js";
import type { GrpoOptions, NativeTrainer, PolicyBatch } from "../../dist/train/native.js";
import { compactPrompt, promptTokens } from "../../dist/train/prompt_tokens.js";
import { Random } from "../../dist/train/random.js";

const folder = mkdtempSync(join(tmpdir(), "spct-policy-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const file = (name: string) => join(folder, name);
const vocabulary = judgeVocabulary();
const vocabularyPath = file("vocabulary.gguf");
const shape = { embedding: 32, layers: 1, heads: 2, kvHeads: 1, feedForward: 64, context: 256 };
const examples = judgeExamples(vocabulary);

beforeAll(() => writeGgufMetadata(vocabularyPath, vocabulary.toGguf()));

/** A model that has learnt a little, so that its probabilities are not all alike. */
async function create(): Promise<NativeTrainer> {
  const trainer = await loadAddon().Trainer.create({ vocabularyPath, shape, seed: 3, threads: 2 });
  for (let step = 0; step < 10; step++) await trainer.step(toBatch(examples(step)), 3e-3);
  return trainer;
}

async function policyBatch(trainer: NativeTrainer, temperature: number): Promise<PolicyBatch> {
  const batch = toBatch(examples(100).slice(0, 5));
  const present = await trainer.logProbabilities(batch, temperature);
  const random = new Random(4);
  const near = () => present.map((value) => Math.min(0, value + (random.uniform() - 0.5) * 1.2));
  return {
    ...batch,
    advantages: Float64Array.of(1.5, -0.5, 0, -2, 0.25),
    oldLogProbabilities: near(),
    referenceLogProbabilities: near(),
    mask: Uint8Array.from(present, () => (random.chance(0.8) ? 1 : 0)),
  };
}

/** DeepSeekMath, Eq. 3 and 4, token by token, and the four ways of averaging. */
function referenceLoss(
  policy: Float32Array,
  batch: PolicyBatch,
  options: GrpoOptions,
): { loss: number; kl: number } {
  const {
    beta = 0.08,
    epsilon = 0.2,
    epsilonHigh = epsilon,
    normalization = "grpo",
    maxCompletionTokens,
    totalTokens,
  } = options;
  const sums: number[] = [];
  const counts: number[] = [];
  let kl = 0;
  let at = 0;
  for (const [index, length] of batch.lengths.entries()) {
    let sum = 0;
    let count = 0;
    for (let token = batch.completions[index]!; token < length; token++, at++) {
      if (batch.mask![at] === 0) continue;
      const ratio = Math.exp(policy[at]! - batch.oldLogProbabilities![at]!);
      const clipped = Math.min(1 + epsilonHigh, Math.max(1 - epsilon, ratio));
      const advantage = batch.advantages[index]!;
      const distance = batch.referenceLogProbabilities![at]! - policy[at]!;
      const penalty = Math.exp(distance) - distance - 1;
      sum += -Math.min(ratio * advantage, clipped * advantage) + beta * penalty;
      kl += penalty;
      count++;
    }
    sums.push(sum);
    counts.push(count);
  }
  const total = (values: number[]) => values.reduce((left, right) => left + right, 0);
  const loss = {
    grpo: total(sums.map((sum, index) => sum / counts[index]!)) / sums.length,
    bnpo: total(sums) / total(counts),
    dr_grpo: total(sums) / (sums.length * maxCompletionTokens!),
    dapo: total(sums) / totalTokens!,
  }[normalization];
  return { loss, kl: kl / total(counts) };
}

describe("a policy step", () => {
  test.each<GrpoOptions>([
    {},
    { normalization: "bnpo", epsilonHigh: 0.28 },
    { normalization: "dr_grpo", maxCompletionTokens: 200, epsilon: 0.1 },
    { normalization: "dapo", totalTokens: 500, beta: 0.002, temperature: 0.7 },
  ])("has the loss of a plain reference: %j", async (options) => {
    const trainer = await create();
    const temperature = options.temperature ?? 1;
    const batch = await policyBatch(trainer, temperature);
    const expected = referenceLoss(await trainer.logProbabilities(batch, temperature), batch, options);
    const result = await trainer.policyStep(batch, options, 1e-3);
    expect(Math.abs(result.loss - expected.loss)).toBeLessThan(1e-5);
    expect(Math.abs(result.kl - expected.kl)).toBeLessThan(1e-5);
    expect(result.completionTokens).toBe(batch.mask!.reduce((sum, value) => sum + value, 0));
    expect(result.clipped).toBeGreaterThan(0);
    expect(result.clipped).toBeLessThan(1);
    expect(result.entropy).toBeGreaterThan(0);
    expect(result.entropy).toBeLessThan(Math.log(trainer.info.vocabulary));
  });

  test("takes the present policy for the old one when none is given", async () => {
    const given = await create();
    const batch = await policyBatch(given, 1);
    const present = await given.logProbabilities(batch, 1);
    const explicit = await given.policyStep({ ...batch, oldLogProbabilities: present }, {}, 1e-3);
    const left = await create();
    const implicit = await left.policyStep({ ...batch, oldLogProbabilities: undefined }, {}, 1e-3);
    expect(Math.abs(implicit.loss - explicit.loss)).toBeLessThan(1e-6);
    expect(implicit.clipped).toBe(0);
    const [one, other] = await Promise.all([
      given.logProbabilities(batch, 1),
      left.logProbabilities(batch, 1),
    ]);
    for (const [at, value] of one.entries()) expect(Math.abs(value - other[at]!)).toBeLessThan(1e-4);
  });

  test("makes completions with an advantage likelier and the others less so", async () => {
    const trainer = await create();
    const batch = toBatch(examples(200).slice(0, 2));
    const before = await trainer.logProbabilities(batch, 1);
    const advantages = Float64Array.of(1, -1);
    for (let step = 0; step < 5; step++) {
      await trainer.policyStep({ ...batch, advantages, oldLogProbabilities: before }, { beta: 0 }, 1e-3);
    }
    const after = await trainer.logProbabilities(batch, 1);
    const first = batch.lengths[0]! - batch.completions[0]!;
    const sum = (values: Float32Array) => values.reduce((left, right) => left + right, 0);
    expect(sum(after.subarray(0, first))).toBeGreaterThan(sum(before.subarray(0, first)) + 1);
    expect(sum(after.subarray(first))).toBeLessThan(sum(before.subarray(first)) - 1);
  });

  test("refuses wrong use with a code and leaves the weights alone", async () => {
    const trainer = await create();
    const good = await policyBatch(trainer, 1);
    const before = await trainer.logProbabilities(good, 1);
    const thrown =
      (change: object, options: object = {}) =>
      () =>
        trainer.policyStep({ ...good, ...change } as PolicyBatch, options, 1e-3);
    const invalid = expect.objectContaining({ code: "INVALID_ARGUMENT" });
    expect(thrown({ advantages: [1, 2] })).toThrow(invalid);
    expect(thrown({ advantages: Float64Array.of(1) })).toThrow(invalid);
    expect(thrown({ oldLogProbabilities: new Float32Array(1) })).toThrow(invalid);
    expect(thrown({ mask: new Uint8Array(1) })).toThrow(invalid);
    expect(thrown({}, { normalization: "mean" })).toThrow(invalid);
    expect(thrown({}, { beta: "a" })).toThrow(invalid);
    expect(thrown({}, { maxCompletionTokens: 1.5 })).toThrow(invalid);
    await expect(thrown({ referenceLogProbabilities: undefined })()).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
    await expect(thrown({}, { epsilon: 2 })()).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(thrown({}, { normalization: "dr_grpo" })()).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
    await expect(thrown({ advantages: good.advantages.map(() => Number.NaN) })()).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
    await expect(
      thrown({
        referenceLogProbabilities: good.oldLogProbabilities!.map(() => 0),
        oldLogProbabilities: good.oldLogProbabilities!.map(() => -1e30),
        advantages: good.advantages.map(() => -1),
      })(),
    ).rejects.toMatchObject({ code: "LOSS_NOT_FINITE" });
    const running = trainer.logProbabilities(good, 1);
    expect(thrown({})).toThrow(expect.objectContaining({ code: "BUSY" }));
    expect(await running).toEqual(before);
    expect(trainer.info.stepsDone).toBe(10);
  });
});

test.each([
  ["f32", 0.5],
  ["f16", 1],
] as const)(
  "log-probabilities are the engine's, from %s weights at temperature %d",
  async (type, temperature) => {
    const tolerance = 0.01; // the engine keeps keys and values as F16
    const trainer = await create();
    await trainer.save(file(`${type}.gguf`), type);
    const grm = await Grm.load({ model: file(`${type}.gguf`), template: "compact" });
    const query = { query: "Mention river.", responses: ["a river"] };
    let compared = 0;
    try {
      const { samples } = await grm.judge(query, { k: 4, maxTokens: 24, logprobs: true, temperature });
      const prompt = promptTokens(vocabulary, compactPrompt(query.query, query.responses));
      for (const { tokenIds, logprobs } of samples) {
        const found = await trainer.logProbabilities(
          toBatch([{ prompt, completion: tokenIds! }]),
          temperature,
        );
        expect(found).toHaveLength(logprobs!.length);
        for (const [index, value] of found.entries()) {
          expect(Math.abs(value - logprobs![index]!)).toBeLessThan(tolerance);
          compared++;
        }
      }
    } finally {
      await grm.close();
    }
    expect(compared).toBeGreaterThan(20);
  },
);

describe("group advantages", () => {
  const { groupAdvantages } = loadAddon();

  test("are distances from the group's mean in its deviations", () => {
    const advantages = groupAdvantages(Float64Array.of(1, -1, -1, -1, 1, 1, 1, 1), 4, "group");
    // Mean -0.5, squared distances 2.25 and three times 0.25: the sample's deviation is 1.
    const expected = [1.5, -0.5, -0.5, -0.5, 0, 0, 0, 0];
    for (const [index, value] of advantages.entries())
      expect(value).toBeCloseTo(expected[index]! / (index < 4 ? 1.0001 : 1), 12);
    expect([...groupAdvantages(Float64Array.of(1, -1), 2, "none")]).toEqual([1, -1]);
  });

  test("refuse wrong use with a code", () => {
    const invalid = expect.objectContaining({ code: "INVALID_ARGUMENT" });
    expect(() => groupAdvantages(Float64Array.of(1, 2, 3), 2, "group")).toThrow(invalid);
    expect(() => groupAdvantages(Float64Array.of(1, Number.NaN), 2, "group")).toThrow(invalid);
    expect(() => groupAdvantages([1, 2] as never, 2, "group")).toThrow(invalid);
    expect(() => groupAdvantages(Float64Array.of(1, 2), 2, "all" as never)).toThrow(invalid);
  });
});
