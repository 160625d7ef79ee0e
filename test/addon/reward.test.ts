// Scalar reward models as a whole: trained from preferences, written, read by the engine, and run as judges.
import { mkdtempSync, rmSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { keepCalibration } from "../../dist/calibration.js";
import { run } from "../../dist/cli/main.js";
import { loadAddon } from "../../dist/native.js";
import { RewardModel } from "../../dist/reward_model.js";
import { loadTemplate } from "../../dist/templates.js";
import { modelText } from "../../dist/train/conversations.js";
import { writeGgufMetadata } from "../../dist/train/gguf_metadata.js";
import { judgeVocabulary } from "../../dist/train/judge_vocabulary.js";
import { type LabelledSequence, rewardsOf, trainReward } from "../../dist/train/reward.js";
import { preferencePairs } from "../../dist/train/reward_examples.js";

const folder = mkdtempSync(join(tmpdir(), "spct-reward-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const file = (name: string) => join(folder, name);

/** Responses with a river are better, wherever they stand. */
const items = Array.from({ length: 12 }, (_, index) => {
  const [good, bad] = [`river ${"dog ".repeat(index % 3)}`.trim(), `lamp ${"dog ".repeat(index % 4)}`.trim()];
  const label = index % 2;
  return {
    id: `i${index}`,
    query: "Mention river.",
    responses: label === 0 ? [good, bad] : [bad, good],
    label,
  };
});
const lines = (rows: object[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join("");

/** A model with random weights, once with a template of its own and once without. */
beforeAll(async () => {
  const vocabularyPath = file("vocabulary.gguf");
  await writeGgufMetadata(vocabularyPath, judgeVocabulary().toGguf());
  const shape = { embedding: 32, layers: 1, heads: 2, kvHeads: 1, feedForward: 64, context: 128 };
  const trainer = await loadAddon().Trainer.create({ vocabularyPath, shape, seed: 5, threads: 2 });
  await trainer.save(file("base.gguf"), "f32");
  await trainer.save(file("plain.gguf"), "f32");
  await writeFile(file("base.json"), '{"template":"compact"}');
  const long = { query: "Mention river.", responses: ["river", "lamp ".repeat(200)], label: 0 };
  const single = { query: "Mention river.", responses: ["river"], label: 1 };
  await writeFile(file("items.jsonl"), lines([...items, long, single]));
  await writeFile(file("held_out.jsonl"), lines(items.slice(0, 4)));
  await writeFile(file("rows.jsonl"), lines(items));
});

async function spct(...args: string[]) {
  const printed: string[] = [];
  const terminal = {
    print: (text: string) => void printed.push(text),
    warn: () => undefined,
    interactive: false,
  };
  const code = await run([...args, "--json"], terminal as never);
  return { code, answer: JSON.parse(printed.at(-1)!) };
}

function trainInto(out: string, ...more: string[]) {
  const data = ["--data", file("items.jsonl"), "--held-out", file("held_out.jsonl")];
  const steps = [
    "--epochs",
    "16",
    "--batch",
    "4",
    "--learning-rate",
    "0.01",
    "--warmup",
    "1",
    "--type",
    "f32",
  ];
  return spct(
    "train",
    "reward",
    "--model",
    file("base.gguf"),
    ...data,
    ...steps,
    "--out",
    file(out),
    ...more,
  );
}

function judgeWith(kind: string, model: string, ...more: string[]) {
  const out = ["--out", file(`${kind}-${model}`), "--no-report"];
  const judge = ["--judge", kind, "--model", file(model), "--threads", "1"];
  return spct("eval", "custom", "--data", file("rows.jsonl"), ...judge, ...out, ...more);
}

async function samplesOf(kind: string, model: string) {
  const text = await readFile(join(file(`${kind}-${model}`), "judgements.jsonl"), "utf8");
  return text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line).samples);
}

describe("spct train reward", () => {
  test("learns preferences; the engine reads the same rewards and judges by them", async () => {
    const { code, answer } = await trainInto("rm.gguf");
    expect(code).toBe(0);
    expect(answer).toMatchObject({
      finished: true,
      steps: 48,
      counts: { items: 14, pairs: 12, tooLong: 1, single: 1 },
      heldOut: { accuracy: 1, n: 4 },
      head: file("rm.head.gguf"),
    });
    expect(JSON.parse(await readFile(file("rm.json"), "utf8"))).toEqual({ template: "compact" });
    expect(JSON.parse(await readFile(file("rm.gguf.manifest.json"), "utf8"))).toMatchObject({
      kind: "reward",
      inputs: {
        model: { path: file("base.gguf") },
        data: { sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
      },
    });

    const trainer = await loadAddon().Trainer.open({ path: file("rm.gguf.checkpoint") });
    const text = await modelText(file("rm.gguf"), trainer);
    const { examples } = await preferencePairs(text, await loadTemplate("compact"), items[0]!, 128);
    const [chosen, rejected] = await rewardsOf(trainer, [examples[0]!.chosen, examples[0]!.rejected]);
    const model = await RewardModel.load({ model: file("rm.gguf") });
    const scores = await model
      .scores({ query: items[0]!.query, responses: items[0]!.responses })
      .finally(() => model.close());
    // The engine keeps keys and values as F16.
    expect(scores[0]! - chosen!).toBeCloseTo(0, 1);
    expect(scores[1]! - rejected!).toBeCloseTo(0, 1);

    const judged = await judgeWith("scalar", "rm.gguf");
    expect(judged.answer).toMatchObject({ accuracy: 1, labelled: 12, k: 1 });
    const [[sample]] = await samplesOf("scalar", "rm.gguf");
    expect(sample.scores[0]).toBeCloseTo(scores[0]!, 3);
    expect(sample.meta).toBeNull();
  });

  test("what it trains is loaded as it was calibrated, and from the model itself only", async () => {
    const before = process.env.SPCT_CALIBRATION;
    process.env.SPCT_CALIBRATION = file("calibration.json");
    const measured = { threads: 3, batchTokens: 256, flashAttention: "off", measured: "2026-01-02" } as const;
    try {
      keepCalibration(file("rm.gguf"), measured);
      const model = await RewardModel.load({ model: file("rm.gguf") });
      await model.close();
      expect(model.info).toMatchObject({ threads: 3, calibrated: "2026-01-02" });
    } finally {
      process.env.SPCT_CALIBRATION = before;
    }
    const options = { model: file("base.gguf"), meta: file("rm.gguf") };
    await expect(RewardModel.load(options)).rejects.toMatchObject({
      code: "HEAD_MISMATCH",
      message: `Expected a reward head on ${file("base.gguf")} but ${file("rm.gguf")} is a model of its own`,
    });
  });

  test("without a template the response is the assistant's turn", async () => {
    const { answer } = await trainInto("chat.gguf", "--model", file("plain.gguf"));
    expect(answer.heldOut.accuracy).toBe(1);
    expect((await judgeWith("scalar", "chat.gguf")).answer.accuracy).toBe(1);
  });

  test("--pairwise reads both responses at once; both orders vote", async () => {
    const { answer } = await trainInto("pair.gguf", "--pairwise", "--learning-rate", "0.02");
    expect(answer).toMatchObject({ finished: true, heldOut: { n: 4 } });
    await judgeWith("pairwise-scalar", "pair.gguf");
    for (const samples of await samplesOf("pairwise-scalar", "pair.gguf")) {
      expect(samples).toHaveLength(2);
      expect(samples[1].order).toEqual([...samples[0].order].reverse());
      for (const { scores } of samples) expect([...scores].sort()).toEqual([0, 1]);
    }
  });

  test("makes its own items of a task", async () => {
    const task = ["--task", "requirements", "--steps", "2", "--batch", "2", "--held-out-items", "3"];
    const model = ["--model", file("base.gguf"), "--out", file("task.gguf")];
    const { answer } = await spct("train", "reward", ...model, ...task);
    expect(answer).toMatchObject({ finished: true, steps: 2, heldOut: { n: 3 } });
  });

  test.each([
    [["--data", "x", "--task", "requirements"], "INVALID_ARGUMENT", 2],
    [["--task", "cooking"], "INVALID_ARGUMENT", 2],
    [["--task", "requirements", "--batch", "0"], "INVALID_ARGUMENT", 2],
    [["--data", "missing.jsonl"], "FILE_NOT_FOUND", 1],
  ])("refuses %j", async (args, code, exit) => {
    const refused = await spct(
      "train",
      "reward",
      "--model",
      file("base.gguf"),
      "--out",
      file("x.gguf"),
      ...args,
    );
    expect(refused.answer.error.code).toBe(code);
    expect(refused.code).toBe(exit);
  });
});

test("a stopped run goes on to the same weights", async () => {
  const { Trainer } = loadAddon();
  const vocabulary = judgeVocabulary();
  const labelled = (step: number): LabelledSequence[] =>
    items.slice(step % 4, (step % 4) + 4).map(({ responses }, index) => ({
      sequence: vocabulary.encode(`a ${responses[index % 2]!}`),
      label: index % 2 === 0 ? 1 : 0,
    }));
  const options = { schedule: { steps: 8, peak: 1e-2, warmup: 1, floor: 1 }, reportEvery: 1 };
  const source = { loss: "bce" as const, labelled };
  const open = (name: string) => Trainer.open({ path: file(name), threads: 2 });
  const whole = await open("base.gguf");
  const reports: { accuracy?: number }[] = [];
  const result = await trainReward(whole, source, {
    ...options,
    onReport: (report) => void reports.push(report),
  });
  expect(result).toMatchObject({ finished: true, steps: 8, accuracy: expect.any(Number) });
  expect(reports).toHaveLength(8);

  const stop = new AbortController();
  const checkpointPath = file("stopped.checkpoint");
  const stopped = await trainReward(await open("base.gguf"), source, {
    ...options,
    checkpointPath,
    signal: stop.signal,
    onReport: ({ step }) => step === 3 && stop.abort(),
  });
  expect(stopped).toMatchObject({ finished: false, steps: 3 });
  const resumed = await open("stopped.checkpoint");
  await trainReward(resumed, source, options);
  for (const [trainer, name] of [
    [whole, "whole"],
    [resumed, "resumed"],
  ] as const) {
    await trainer.save(file(`${name}.gguf`), "f32");
    await trainer.saveHead(file(`${name}.head.gguf`), { kind: "reward", backbone: "" });
  }
  for (const end of ["gguf", "head.gguf"]) {
    expect((await readFile(file(`whole.${end}`))).equals(await readFile(file(`resumed.${end}`)))).toBe(true);
  }
});

describe("judges by a head", () => {
  test("a semi-scalar judge gives each critique its value", async () => {
    const { code } = await judgeWith(
      "semi-scalar",
      "rm.gguf",
      "-k",
      "3",
      "--max-tokens",
      "8",
      "--limit",
      "2",
    );
    expect(code).toBe(0);
    for (const samples of await samplesOf("semi-scalar", "rm.gguf")) {
      expect(samples).toHaveLength(3);
      for (const { scores, text, meta } of samples) {
        expect(scores.every(Number.isFinite)).toBe(true);
        expect(text).toMatch(/^Response 1:\n[\s\S]*\n\nResponse 2:\n/);
        expect(meta).toBeNull();
      }
    }
  });

  test("a meta RM's head and a missing one are refused", async () => {
    const { answer } = await judgeWith("scalar", "plain.gguf");
    expect(answer.error.code).toBe("HEAD_NOT_FOUND");
    const weight = new Float32Array(32);
    await loadAddon().writeScoreHead(file("meta.head.gguf"), { weight, bias: 0, kind: "meta", backbone: "" });
    const other = await judgeWith("scalar", "plain.gguf", "--meta", file("meta.head.gguf"));
    expect(other.answer.error.code).toBe("HEAD_MISMATCH");
    expect((await judgeWith("loud", "rm.gguf")).answer.error.code).toBe("INVALID_ARGUMENT");
  });
});

test("wrong use of the trainer's head is an error with a code", async () => {
  const trainer = await loadAddon().Trainer.open({ path: file("base.gguf") });
  const batch = {
    tokens: Int32Array.of(1, 2, 3, 4),
    lengths: Int32Array.of(2, 2),
    completions: Int32Array.of(1, 1),
  };
  await expect(trainer.rewards(batch)).rejects.toMatchObject({ code: "NO_HEAD" });
  const head = { kind: "reward", backbone: "" } as const;
  await expect(trainer.saveHead(file("none.gguf"), head)).rejects.toMatchObject({ code: "NO_HEAD" });
  for (const labels of [undefined, Float32Array.of(1), Float32Array.of(1, 2)]) {
    await expect(trainer.rewardStep(batch, { loss: "bce", labels }, 1e-3)).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
  }
  expect(() => trainer.rewardStep(batch, { loss: "hinge" as "bce" }, 1e-3)).toThrow(
    expect.objectContaining({ code: "INVALID_ARGUMENT" }),
  );
  const positions = Int32Array.of(0, 0);
  const step = await trainer.rewardStep(batch, { loss: "bradley_terry", positions }, 1e-3);
  expect(step).toMatchObject({ loss: Math.log(2), accuracy: 0, tokens: 4 });
  expect(await trainer.rewards(batch)).toHaveLength(2);
});
