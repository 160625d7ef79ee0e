// What is asked of given tokens instead of drawn ones, against the trainer's own forward pass: log-probabilities of
// continuations, and the head's value at the end of a prompt.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type Completion,
  type Engine,
  LocalEngine,
  ProcessEngine,
  type SampleRequest,
} from "../../dist/index.js";
import { loadAddon } from "../../dist/native.js";
import { toBatch } from "../../dist/train/dataset.js";
import type { NativeTrainer } from "../../dist/train/native.js";
import { scratchFolder, tinyHead, tinyModel, vocabularySize } from "./tiny_model.js";

const file = scratchFolder();
const messages = [{ role: "user", content: "Which is better?" }];
const tolerance = 0.02; // the engine keeps keys and values as F16
let model: string;
let prompt: Int32Array;
let trainer: NativeTrainer;
beforeAll(async () => {
  model = file("tiny.gguf", tinyModel());
  trainer = await loadAddon().Trainer.open({ path: model });
  const vocabulary = await loadAddon().loadVocabulary(model);
  prompt = await vocabulary.tokenize([
    { text: "<|user|>", special: true },
    { text: messages[0]!.content, special: false },
    { text: "<|end|><|assistant|>", special: true },
  ]);
});

const sum = (values: Iterable<number>) => [...values].reduce((total, value) => total + value, 0);
const joined = (...parts: Int32Array[]) => Int32Array.from(parts.flatMap((part) => [...part]));

async function trainersScore(
  continuation: Int32Array,
  answer: Int32Array = new Int32Array(),
): Promise<number> {
  const batch = toBatch([{ prompt: joined(prompt, answer), completion: continuation }]);
  return sum(await trainer.logProbabilities(batch, 1));
}

function request(more: Partial<SampleRequest>): SampleRequest {
  return {
    prompts: [messages],
    samples: [{ prompt: 0, seed: 1 }],
    sampling: { temperature: 1, topK: 0, topP: 1, minP: 0, order: "temperature-first" },
    maxTokens: 16,
    logprobs: true,
    ...more,
  };
}

async function sampleOf(engine: Engine, more: Partial<SampleRequest>) {
  const completions: Completion[] = [];
  const usage = await engine.sample(request(more), (completion) => completions.push(completion));
  return { completions, usage };
}

describe.each([
  ["in this process", () => LocalEngine.load({ modelPath: model, threads: 2 })],
  ["in a child process", () => ProcessEngine.load({ modelPath: model, threads: 2 })],
] as const)("an engine %s", (_, load) => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await load();
  });
  afterAll(() => engine.close());

  test("scores continuations as the trainer does, behind an answer and without one", async () => {
    const answer = await engine.tokenize("Critique:\n");
    const continuations = await Promise.all(
      ["\\boxed{8}", " better response", "x"].map((text) => engine.tokenize(text)),
    );
    for (const given of [undefined, answer]) {
      const scores = await engine.score(messages, continuations, { answer: given });
      expect(scores).toBeInstanceOf(Float64Array);
      for (const [index, continuation] of continuations.entries()) {
        const expected = await trainersScore(continuation, given);
        expect(Math.abs(scores[index]! - expected)).toBeLessThan(tolerance * continuation.length);
      }
    }
  });

  test("gives every token a share of one", async () => {
    const tokens = Array.from({ length: vocabularySize }, (_, token) => Int32Array.of(token));
    const scores = await engine.score(messages, tokens);
    expect(sum(scores.map(Math.exp))).toBeCloseTo(1, 5);
  });

  test("scores what it has sampled as it sampled it", async () => {
    const { completions } = await sampleOf(engine, {});
    const { tokenIds, logprobs } = completions[0]!;
    const [score] = await engine.score(messages, [tokenIds!]);
    expect(Math.abs(score! - sum(logprobs!))).toBeLessThan(tolerance);
  });

  test("computes the prompt once, and the answer with it", async () => {
    const answer = await engine.tokenize("Critique:\n better");
    const samples = [5, 6, 7].map((token) => ({ prompt: 0, seed: 0, continuation: Int32Array.of(token) }));
    const { completions, usage } = await sampleOf(engine, { samples, answer, maxTokens: 0 });
    expect(usage.promptTokensComputed).toBe(prompt.length + answer.length);
    for (const { sample, tokenIds, reason, meta } of completions) {
      expect([...tokenIds!]).toEqual([...samples[sample]!.continuation]);
      expect([reason, meta]).toEqual(["length", null]);
    }
  });

  test("refuses what it cannot score", async () => {
    const invalid = { code: "INVALID_ARGUMENT" };
    await expect(engine.score(messages, [])).rejects.toMatchObject(invalid);
    await expect(engine.score(messages, [new Int32Array()])).rejects.toMatchObject(invalid);
    await expect(engine.score(messages, [[1] as never])).rejects.toMatchObject(invalid);
    for (const token of [-1, vocabularySize]) {
      const asked = engine.score(messages, [Int32Array.of(token)]);
      await expect(asked).rejects.toMatchObject({
        code: "INVALID_REQUEST",
        message: expect.stringContaining(`received ${token}`),
      });
    }
    await expect(engine.score(messages, [new Int32Array(10_000)])).rejects.toMatchObject({
      code: "CONTEXT_OVERFLOW",
    });
    await expect(
      engine.score(messages, [Int32Array.of(1)], { signal: AbortSignal.abort() }),
    ).rejects.toMatchObject({ code: "CANCELLED" });
    await expect(sampleOf(engine, { maxTokens: 0 })).rejects.toMatchObject({ code: "NO_HEAD" });
    await expect(sampleOf(engine, { maxTokens: -1 })).rejects.toMatchObject({ code: "INVALID_REQUEST" });
    expect(await engine.score(messages, [Int32Array.of(1)])).toHaveLength(1);
  });
});

test("a head rates the end of a prompt without a token", async () => {
  const headPath = file("tiny.head.gguf", tinyHead({ weight: 0.1, bias: 0.25 }));
  const engine = await LocalEngine.load({ modelPath: model, headPath, threads: 1 });
  try {
    const answer = await engine.tokenize(" better");
    for (const given of [undefined, answer]) {
      const tokens = joined(prompt, given ?? new Int32Array());
      const { completions } = await sampleOf(engine, { maxTokens: 0, answer: given });
      const states = await trainer.hiddenStates(
        toBatch([{ prompt: tokens, completion: [0] }]),
        Int32Array.of(tokens.length - 1),
      );
      expect(completions).toHaveLength(1);
      expect(completions[0]).toMatchObject({ text: "", tokens: 0, reason: "length" });
      expect(Math.abs(completions[0]!.meta! - (0.25 + 0.1 * sum(states)))).toBeLessThan(tolerance);
    }
  } finally {
    await engine.close();
  }
});
