import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { accuracyOf } from "../../../lib/train/accuracy.js";
import { epochs } from "../../../lib/train/conversations.js";
import { type Example, readConversations, toBatch } from "../../../lib/train/dataset.js";
import { levelAt } from "../../../lib/train/default_judge.js";
import type { NativeTrainer, TokenBatch } from "../../../lib/train/native.js";
import { Random } from "../../../lib/train/random.js";
import { learningRate } from "../../../lib/train/schedule.js";
import { trainSft } from "../../../lib/train/sft.js";

const example = (...tokens: number[]): Example => ({ prompt: [tokens[0]!], completion: tokens.slice(1) });

test("a batch lays its examples end to end", () => {
  const batch = toBatch([
    { prompt: [1, 2], completion: [3] },
    { prompt: [4], completion: [5, 6] },
  ]);
  expect(batch).toEqual({
    tokens: Int32Array.of(1, 2, 3, 4, 5, 6),
    lengths: Int32Array.of(3, 3),
    completions: Int32Array.of(2, 1),
  });
});

describe("conversations", () => {
  const user = { role: "user", content: "q" };
  const assistant = { role: "assistant", content: "a" };

  test("of both forms are read", () => {
    const text = [{ messages: [user, assistant] }, { prompt: [user], completion: [assistant] }].map((row) =>
      JSON.stringify(row),
    );
    expect(readConversations(`${text.join("\n\n")}\n`)).toEqual([
      { messages: [user], completion: "a" },
      { messages: [user], completion: "a" },
    ]);
  });

  test.each([
    ["not JSON", "{", "Line 1:"],
    ["no answer", JSON.stringify({ messages: [user] }), "last turn"],
    ["only an answer", JSON.stringify({ messages: [assistant] }), "before the assistant's"],
    ["no turns", JSON.stringify({ text: "x" }), "list of turns for prompt"],
    [
      "a turn without content",
      JSON.stringify({ messages: [{ role: "user" }, assistant] }),
      "role and a content",
    ],
    ["null", "null", "Line 1:"],
  ])("%s is an error that names the line", (_, text, message) => {
    expect(() => readConversations(text)).toThrow(
      expect.objectContaining({ code: "BAD_RECORD", message: expect.stringContaining(message) }),
    );
  });
});

test("epochs take every example once, in changing order, and any step can be asked again", () => {
  const examples = Array.from({ length: 10 }, (_, index) => example(index, index));
  const source = epochs(examples, 4, 3);
  const epoch = (first: number) => [0, 1, 2].flatMap((step) => source(first + step));
  const first = epoch(0);
  const second = epoch(3);
  expect(first).toHaveLength(10);
  expect(new Set(first).size).toBe(10);
  expect(new Set(second).size).toBe(10);
  expect(second).not.toEqual(first);
  expect(epoch(0)).toEqual(first);
});

test("the learning rate rises to its peak and falls to its floor", () => {
  const schedule = { steps: 110, peak: 1, warmup: 10, floor: 0.1 };
  expect(learningRate(schedule, 0)).toBeCloseTo(0.1);
  expect(learningRate(schedule, 9)).toBe(1);
  expect(learningRate(schedule, 60)).toBeCloseTo(0.55);
  expect(learningRate(schedule, 110)).toBeCloseTo(0.1);
  expect(learningRate({ ...schedule, warmup: 0 }, 0)).toBe(1);
});

test("the curriculum never turns back", () => {
  let before = levelAt(0);
  expect(before.plain).toBe(1);
  for (let step = 0; step < 30_000; step += 50) {
    const level = levelAt(step);
    expect(level.words).toBeGreaterThanOrEqual(before.words);
    expect(level.plain).toBeLessThanOrEqual(before.plain);
    before = level;
  }
  expect(before.plain).toBe(0.2);
});

test("Wilson's interval", () => {
  const { accuracy, ci } = accuracyOf(80, 100);
  expect(accuracy).toBe(0.8);
  expect(ci[0]).toBeCloseTo(0.7112, 4);
  expect(ci[1]).toBeCloseTo(0.8666, 4);
  expect(accuracyOf(0, 10).ci[0]).toBeCloseTo(0, 10);
  expect(() => accuracyOf(3, 0)).toThrow(RangeError);
  expect(() => accuracyOf(3, 2)).toThrow(RangeError);
});

test("equal seeds draw equally, others do not, and draws spread", () => {
  const draws = (seed: number) => {
    const random = new Random(seed);
    return Array.from({ length: 2000 }, () => random.integer(0, 9));
  };
  expect(draws(5)).toEqual(draws(5));
  expect(draws(5)).not.toEqual(draws(6));
  expect(draws(2 ** 40)).not.toEqual(draws(0));
  const counts = new Array(10).fill(0);
  for (const draw of draws(5)) counts[draw]++;
  for (const count of counts) expect(Math.abs(count - 200)).toBeLessThan(60);
  expect(() => new Random(-1)).toThrow(RangeError);
  expect(() => new Random(1).pick([])).toThrow(RangeError);
});

/** Stands for the addon's trainer: remembers what it was given. */
class FakeTrainer {
  steps: { batch: TokenBatch; rate: number }[] = [];
  checkpoints: number[] = [];
  constructor(public done = 0) {}
  get info() {
    return { stepsDone: this.done } as NativeTrainer["info"];
  }
  async step(batch: TokenBatch, rate: number) {
    this.steps.push({ batch, rate });
    this.done++;
    return { loss: 1 / this.done, gradientNorm: 1, tokens: batch.tokens.length, completionTokens: 1 };
  }
  async saveCheckpoint(path: string) {
    this.checkpoints.push(this.done);
    await writeFile(path, "");
  }
}

describe("a supervised run", () => {
  const schedule = { steps: 10, peak: 1, warmup: 2, floor: 0 };
  const source = (step: number) => [example(step, step + 1)];

  test("goes on where the trainer stands, reports and saves", async () => {
    const folder = await mkdtemp(join(tmpdir(), "spct-sft-"));
    const trainer = new FakeTrainer(4);
    const logPath = join(folder, "log.jsonl");
    const result = await trainSft(trainer as unknown as NativeTrainer, source, {
      schedule,
      checkpointPath: join(folder, "checkpoint"),
      checkpointEvery: 3,
      reportEvery: 5,
      logPath,
    });
    expect(result).toMatchObject({ finished: true, steps: 10 });
    expect(trainer.steps.map(({ batch }) => batch.tokens[0])).toEqual([4, 5, 6, 7, 8, 9]);
    expect(trainer.steps.map(({ rate }) => rate)).toEqual(
      [4, 5, 6, 7, 8, 9].map((step) => learningRate(schedule, step)),
    );
    expect(trainer.checkpoints).toEqual([6, 9, 10]);
    const log = (await readFile(logPath, "utf8"))
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(log.map(({ step }) => step)).toEqual([5, 10]);
    expect(log[1].loss).toBeCloseTo((1 / 6 + 1 / 7 + 1 / 8 + 1 / 9 + 1 / 10) / 5);
  });

  test("a stop saves what was done", async () => {
    const folder = await mkdtemp(join(tmpdir(), "spct-sft-"));
    const trainer = new FakeTrainer();
    const stop = new AbortController();
    const stopping = (step: number) => {
      if (step === 2) stop.abort();
      return source(step);
    };
    const result = await trainSft(trainer as unknown as NativeTrainer, stopping, {
      schedule,
      checkpointPath: join(folder, "checkpoint"),
      signal: stop.signal,
    });
    expect(result).toMatchObject({ finished: false, steps: 3 });
    expect(trainer.checkpoints).toEqual([3]);
  });
});
