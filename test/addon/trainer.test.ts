// The trainer as JavaScript sees it: a small model learns, is saved, judged with, resumed; wrong use is an error with a code.
import { mkdtempSync, rmSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { run } from "../../dist/cli/main.js";
import { Grm } from "../../dist/index.js";
import { loadAddon } from "../../dist/native.js";
import { toBatch } from "../../dist/train/dataset.js";
import { judgeExamples } from "../../dist/train/default_judge.js";
import { writeGgufMetadata } from "../../dist/train/gguf_metadata.js";
import { judgeVocabulary, wordGroups } from "../../dist/train/judge_vocabulary.js";
import { fitMetaHead } from "../../dist/train/meta.js";
import type { NativeTrainer } from "../../dist/train/native.js";
import { compactPrompt } from "../../dist/train/prompt_tokens.js";
import { RequirementTask } from "../../dist/train/tasks/requirements.js";

const folder = mkdtempSync(join(tmpdir(), "spct-trainer-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const file = (name: string) => join(folder, name);
const vocabulary = judgeVocabulary();
const vocabularyPath = file("vocabulary.gguf");
const shape = { embedding: 32, layers: 1, heads: 2, kvHeads: 1, feedForward: 64, context: 256 };
const examples = judgeExamples(vocabulary);

beforeAll(() => writeGgufMetadata(vocabularyPath, vocabulary.toGguf()));

function create(seed = 1): Promise<NativeTrainer> {
  return loadAddon().Trainer.create({
    vocabularyPath,
    shape,
    seed,
    tokenGroups: wordGroups(vocabulary),
    threads: 2,
  });
}

describe("the vocabulary file", () => {
  test("is tokenized by llama.cpp as by us", async () => {
    const native = await loadAddon().loadVocabulary(vocabularyPath);
    const task = new RequirementTask();
    const texts = [
      "",
      "Zwölf Boxkämpfer\n\t\u0000 漢字 🎈",
      "\\boxed{8, 5}\\n\\x41",
      " ".repeat(9),
      "RiverRiver riverriver  lamp",
    ];
    for (let seed = 0; seed < 100; seed++) {
      const item = task.generate(seed);
      texts.push(compactPrompt(item.query, item.responses), task.trajectory(item, seed));
    }
    for (const text of texts) {
      const tokens = await native.tokenize([{ text, special: false }]);
      expect([...tokens], JSON.stringify(text)).toEqual(vocabulary.encode(text));
      expect(native.text(tokens)).toBe(text);
    }
  });

  test("keeps text that looks like a control token text", async () => {
    const native = await loadAddon().loadVocabulary(vocabularyPath);
    const tokens = await native.tokenize([{ text: "a<|end|>b", special: false }]);
    expect([...tokens]).not.toContain(vocabulary.control("<|end|>"));
    expect(native.text(tokens)).toBe("a<|end|>b");
    const special = await native.tokenize([{ text: "<|end|>", special: true }]);
    expect([...special]).toEqual([vocabulary.control("<|end|>")]);
  });
});

describe("a trainer", () => {
  test("lowers the loss, and equal runs give equal files", async () => {
    const losses: number[] = [];
    for (const name of ["a", "b"]) {
      const trainer = await create();
      const first = await trainer.evaluate(toBatch(examples(1000)));
      for (let step = 0; step < 30; step++) await trainer.step(toBatch(examples(step)), 3e-3);
      const last = await trainer.evaluate(toBatch(examples(1000)));
      expect(last.loss).toBeLessThan(first.loss - 1);
      expect(trainer.info.stepsDone).toBe(30);
      losses.push(last.loss);
      await trainer.save(file(`${name}.gguf`), "f32");
    }
    expect(losses[0]).toBe(losses[1]);
    expect((await readFile(file("a.gguf"))).equals(await readFile(file("b.gguf")))).toBe(true);
  });

  test("continues from a checkpoint as if it had never stopped", async () => {
    const straight = await create();
    for (let step = 0; step < 6; step++) await straight.step(toBatch(examples(step)), 1e-3);
    const stopped = await create();
    for (let step = 0; step < 3; step++) await stopped.step(toBatch(examples(step)), 1e-3);
    await stopped.saveCheckpoint(file("checkpoint.gguf"), "note");
    const resumed = await loadAddon().Trainer.open({ path: file("checkpoint.gguf"), threads: 2 });
    expect(resumed.info).toMatchObject({ stepsDone: 3, note: "note", eosToken: "<|end|>", bosToken: null });
    for (let step = 3; step < 6; step++) await resumed.step(toBatch(examples(step)), 1e-3);
    await straight.save(file("straight.gguf"), "f32");
    await resumed.save(file("resumed.gguf"), "f32");
    const batch = toBatch(examples(50));
    expect(await resumed.evaluate(batch)).toEqual(await straight.evaluate(batch));
  });

  test("saves a judge that the engine runs", async () => {
    const trainer = await create();
    await trainer.save(file("judge.gguf"), "q8_0");
    const grm = await Grm.load({ model: file("judge.gguf"), template: "compact" });
    try {
      const { samples } = await grm.judge(
        { query: "Mention river.", responses: ["a", "b"] },
        { k: 2, maxTokens: 8 },
      );
      expect(samples).toHaveLength(2);
    } finally {
      await grm.close();
    }
  });

  test("gives the states that a fused head reads", async () => {
    const trainer = await create();
    for (let step = 0; step < 5; step++) await trainer.step(toBatch(examples(step)), 3e-3);
    await trainer.save(file("head.gguf"), "f32");
    const batch = toBatch(examples(0).slice(0, 3));
    const states = await trainer.hiddenStates(
      batch,
      batch.lengths.map((length) => length - 1),
    );
    expect(states).toHaveLength(3 * shape.embedding);
    const items = examples(3).map(({ prompt, completion }, index) => ({
      prompt,
      completion,
      label: index % 2,
    }));
    const { weight, bias } = await fitMetaHead(loadAddon(), trainer, items, { iterations: 20 });
    await loadAddon().writeScoreHead(file("head.head.gguf"), { weight, bias, kind: "meta", backbone: "" });

    const grm = await Grm.load({ model: file("head.gguf"), template: "compact" });
    try {
      const query = { query: "Mention river.", responses: ["a river"] };
      const { samples } = await grm.judge(query, { k: 3, maxTokens: 12, logprobs: true, temperature: 1 });
      for (const { tokenIds, meta } of samples) {
        const prompt = await grmPrompt(query);
        const sequence = toBatch([{ prompt, completion: tokenIds! }]);
        const state = await trainer.hiddenStates(
          sequence,
          sequence.lengths.map((length) => length - 1),
        );
        const expected = state.reduce((sum, value, index) => sum + value * weight[index]!, bias);
        // The engine keeps keys and values as F16.
        expect(Math.abs(meta! - expected)).toBeLessThan(0.02 * (1 + Math.abs(expected)));
      }
    } finally {
      await grm.close();
    }
  });

  test("wrong use is an error with a code", async () => {
    const trainer = await create();
    const batch = toBatch(examples(0));
    const running = trainer.step(batch, 1e-3);
    expect(() => trainer.step(batch, 1e-3)).toThrow(expect.objectContaining({ code: "BUSY" }));
    await running;
    const bad = (change: object) => () => trainer.step({ ...batch, ...change } as typeof batch, 1e-3);
    expect(bad({ tokens: [1, 2] })).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
    expect(bad({ lengths: Int32Array.of(1) })).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
    await expect(trainer.step(toBatch([{ prompt: [1], completion: [] }]), 1e-3)).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
    await expect(trainer.save(file("no/such/folder.gguf"), "f32")).rejects.toMatchObject({
      code: "WRITE_FAILED",
    });
    expect(() => trainer.save(file("x.gguf"), "q1" as "f32")).toThrow(
      expect.objectContaining({ code: "INVALID_ARGUMENT" }),
    );
    const { Trainer } = loadAddon();
    await expect(Trainer.open({ path: file("missing.gguf") })).rejects.toMatchObject({
      code: "MODEL_NOT_FOUND",
    });
    await writeFile(file("text.gguf"), "not a model");
    await expect(Trainer.open({ path: file("text.gguf") })).rejects.toMatchObject({ code: "NOT_A_GGUF" });
    const options = { vocabularyPath, shape: { ...shape, heads: 3 }, seed: 1 };
    await expect(Trainer.create(options)).rejects.toMatchObject({ code: "UNSUPPORTED_MODEL" });
    expect(trainer.info.stepsDone).toBe(1);
  });
});

async function grmPrompt({ query, responses }: { query: string; responses: string[] }): Promise<Int32Array> {
  const native = await loadAddon().loadVocabulary(vocabularyPath);
  return native.tokenize([
    { text: "<|user|>", special: true },
    { text: compactPrompt(query, responses), special: false },
    { text: "<|end|><|assistant|>", special: true },
  ]);
}

/** Runs `spct train sft` on six conversations; what it printed. */
async function sft(name: string, ...more: string[]): Promise<{ code: number; printed: string[] }> {
  const trainer = await create();
  await trainer.save(file("base.gguf"), "f32");
  const row = {
    messages: [
      { role: "user", content: "Query:\nx\n" },
      { role: "assistant", content: "Scores: \\boxed{5}" },
    ],
  };
  await writeFile(file("rows.jsonl"), `${JSON.stringify(row)}\n`.repeat(6));
  const printed: string[] = [];
  const print = (text: string) => void printed.push(text);
  const terminal = { print, warn: print, interactive: false };
  const paths = ["--model", file("base.gguf"), "--data", file("rows.jsonl"), "--out", file(name)];
  const args = ["train", "sft", ...paths, "--batch", "2", "--epochs", "2", "--json", ...more];
  return { code: await run(args, terminal as never), printed };
}

test("spct train sft fine-tunes on a file, and a finished run leaves its model", async () => {
  const { code, printed } = await sft("tuned.gguf");
  expect(code).toBe(0);
  expect(JSON.parse(printed[0]!)).toMatchObject({ finished: true, steps: 6 });
  const tuned = await loadAddon().Trainer.open({ path: file("tuned.gguf") });
  expect(tuned.info.stepsDone).toBe(0);
  const manifest = JSON.parse(await readFile(file("tuned.gguf.manifest.json"), "utf8"));
  expect(manifest).toMatchObject({ kind: "sft", seed: 0, counts: { conversations: 6, steps: 6 } });
});

describe("the device", () => {
  const options = { vocabularyPath, shape, seed: 1 };

  test("is the CPU unless told otherwise", async () => {
    const { Trainer } = loadAddon();
    expect((await create()).info.device).toBe("CPU");
    expect((await Trainer.create({ ...options, device: "cpu" })).info.device).toBe("CPU");
    expect(() => Trainer.create({ ...options, device: "tpu" as never })).toThrow(/cpu or gpu .* tpu/);
    expect((await sft("nowhere.gguf", "--device", "tpu")).code).toBe(2);
  });

  test("can be a GPU, or there is none and the error says so", async () => {
    const opening = () => loadAddon().Trainer.create({ ...options, device: "gpu" });
    if (
      !loadAddon()
        .systemInfo()
        .devices.some(({ type }) => type === "gpu")
    ) {
      await expect(opening()).rejects.toMatchObject({ code: "NO_GPU" });
      await expect(opening()).rejects.toThrow("--cuda");
      expect((await sft("nowhere.gguf", "--device", "gpu")).code).toBe(1);
      return;
    }
    const trainer = await opening();
    const expected = await (await create()).evaluate(toBatch(examples(20)));
    expect((await trainer.evaluate(toBatch(examples(20)))).loss).toBeCloseTo(expected.loss, 2);
    expect((await trainer.step(toBatch(examples(20)), 1e-3)).loss).toBeCloseTo(expected.loss, 2);
  });
});

describe("adapters", () => {
  const lora = { rank: 2, alpha: 4 };
  const batch = () => toBatch(examples(50));

  test("are trained alone, continue from a checkpoint, and merge into the model", async () => {
    const { Trainer } = loadAddon();
    await (await create()).save(file("lora_base.gguf"), "q8_0");
    const path = file("lora_base.gguf");
    const trainer = await Trainer.open({ path, lora: { ...lora, targets: ["attn_q", "ffn_up"] } });
    expect(trainer.info.parameters).toBe(2 * (shape.embedding + shape.embedding) + 2 * (32 + 64));
    await trainer.step(batch(), 1e-2);
    await trainer.saveCheckpoint(file("lora.checkpoint"), "one");
    await trainer.step(batch(), 1e-2);
    const resumed = await Trainer.open({
      path,
      lora: { ...lora, targets: ["attn_q", "ffn_up"], adapter: file("lora.checkpoint") },
    });
    expect(resumed.info).toMatchObject({ stepsDone: 1, note: "one" });
    await resumed.step(batch(), 1e-2);
    const { loss } = await trainer.evaluate(batch());
    expect((await resumed.evaluate(batch())).loss).toBe(loss);
    await trainer.saveMerged(file("merged.gguf"), "f32");
    const merged = await Trainer.open({ path: file("merged.gguf") });
    expect((await merged.evaluate(batch())).loss).toBeCloseTo(loss, 2);
  });

  test("wrong use is an error with a code", async () => {
    const { Trainer } = loadAddon();
    const path = file("lora_base.gguf");
    const open = (change: object) => Trainer.open({ path, lora: { ...lora, ...change } });
    await expect(open({ rank: 0 })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(open({ targets: ["query"] })).rejects.toThrow(/attn_q, .* but received query/);
    await expect(open({ adapter: path })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(() => open({ rank: "2" })).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
    expect(() => open({ targets: "attn_q" })).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
    await expect((await create()).saveMerged(file("x.gguf"), "f32")).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
  });

  test("spct train sft writes a model with them in it, or them alone", async () => {
    expect((await sft("lora_model.gguf", "--lora-rank", "2")).code).toBe(0);
    await loadAddon().Trainer.open({ path: file("lora_model.gguf") });
    expect((await sft("lora.gguf", "--lora-rank", "2", "--lora-adapter")).code).toBe(0);
    const adapter = { ...lora, adapter: file("lora.gguf") };
    await loadAddon().Trainer.open({ path: file("base.gguf"), lora: adapter });
    expect((await sft("none.gguf", "--lora-alpha", "2")).code).toBe(2);
  });
});
