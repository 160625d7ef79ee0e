// Rejective fine-tuning as a whole: a judge that flips a coin learns to say what was right; Ctrl-C in the sampling loses nothing.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { run } from "../../dist/cli/main.js";
import { Grm } from "../../dist/judge.js";
import { loadAddon } from "../../dist/native.js";
import { toBatch } from "../../dist/train/dataset.js";
import { writeGgufMetadata } from "../../dist/train/gguf_metadata.js";
import { judgeVocabulary } from "../../dist/train/judge_vocabulary.js";
import { compactPrompt, completionTokens, promptTokens } from "../../dist/train/prompt_tokens.js";

const folder = mkdtempSync(join(tmpdir(), "spct-rft-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const file = (name: string) => join(folder, name);
const modelPath = file("coin.gguf");
const query = "Mention river.";
const responses = ["a river"];

/** Learns to answer "Scores: \\boxed{0}" and "Scores: \\boxed{1}" equally often, whatever it is asked. */
beforeAll(async () => {
  const vocabulary = judgeVocabulary();
  const vocabularyPath = file("vocabulary.gguf");
  await writeGgufMetadata(vocabularyPath, vocabulary.toGguf());
  const shape = { embedding: 32, layers: 1, heads: 2, kvHeads: 1, feedForward: 64, context: 256 };
  const trainer = await loadAddon().Trainer.create({ vocabularyPath, shape, seed: 5, threads: 2 });
  const prompt = promptTokens(vocabulary, compactPrompt(query, responses));
  const completions = [0, 1].map((score) => completionTokens(vocabulary, `Scores: \\boxed{${score}}`));
  const batch = toBatch(completions.map((completion) => ({ prompt, completion })));
  for (let step = 0; step < 60; step++) await trainer.step(batch, 5e-3);
  await trainer.save(modelPath, "f32");
  const row = `${JSON.stringify({ query, responses, label: 1 })}\n`;
  await writeFile(file("items.jsonl"), row.repeat(60));
  await writeFile(file("many.jsonl"), row.repeat(400));
});

const command = (data: string, out: string) => [
  ...["train", "rft", "--model", modelPath, "--template", "compact", "--data", file(data), "--out", out],
  ...["--max-tokens", "12", "--batch", "8", "--learning-rate", "5e-3", "--warmup", "2", "--json"],
];

async function invoke(args: string[]) {
  const printed: string[] = [];
  const print = (text: string) => void printed.push(text);
  const code = await run(args, { print, warn: () => undefined, interactive: false } as never);
  return { code, printed: JSON.parse(printed[0]!) };
}

async function shareOfOnes(model: string): Promise<number> {
  const grm = await Grm.load({ model, template: "compact", meta: null });
  try {
    const options = { k: 100, temperature: 1, answer: "correctness", maxTokens: 12 } as const;
    const { samples } = await grm.judge({ query, responses }, options);
    return samples.filter(({ scores }) => scores?.[0] === 1).length / samples.length;
  } finally {
    await grm.close();
  }
}

test("spct train rft teaches a judge what it got right, and its data set can be learnt again", async () => {
  const out = file("tuned.gguf");
  const general = file("general.jsonl");
  const turns = [
    { role: "user", content: "river" },
    { role: "assistant", content: "lake" },
  ];
  await writeFile(general, `${JSON.stringify({ messages: turns })}\n`.repeat(5));
  const { code, printed } = await invoke([...command("items.jsonl", out), "--general", general]);
  expect(printed).toMatchObject({ finished: true, phase: "training", counts: { items: 60, general: 5 } });
  expect(code).toBe(0);
  expect(await shareOfOnes(modelPath)).toBeLessThan(0.7);
  expect(await shareOfOnes(out)).toBeGreaterThan(0.9);

  const { own, hinted, tooEasy } = printed.counts;
  expect(own.sampled).toBe(180);
  expect(own.tooEasy).toBe(3 * tooEasy);
  const rows = (await readFile(`${out}.data.jsonl`, "utf8")).trim().split("\n");
  expect(rows).toHaveLength(own.kept + hinted.kept + 5);
  const manifest = JSON.parse(await readFile(`${out}.manifest.json`, "utf8"));
  expect(manifest).toMatchObject({
    kind: "rft",
    options: { samples: 3, hints: "with", rejection: true },
    inputs: { model: { path: modelPath }, general: { path: general } },
    counts: { own, hinted, steps: printed.steps },
  });
  const again = ["train", "sft", "--model", modelPath, "--data", `${out}.data.jsonl`];
  expect(await invoke([...again, "--out", file("again.gguf"), "--json"])).toMatchObject({ code: 0 });
});

test("Ctrl-C ends the sampling; the same command takes up each item that is left, once", async () => {
  const out = file("stopped.gguf");
  const samples = `${out}.samples.jsonl`;
  const lines = () => (existsSync(samples) ? readFileSync(samples, "utf8").trim().split("\n") : []);
  const program = resolve(import.meta.dirname, "../../bin/spct.js");
  const child = spawn(process.execPath, [program, ...command("many.jsonl", out)], { stdio: "ignore" });
  const exit = new Promise((done) => child.once("exit", done));
  while (lines().length < 3 && child.exitCode === null) await new Promise((done) => setTimeout(done, 20));
  child.kill("SIGINT");
  expect(await exit).toBe(1);
  const before = lines();
  expect(before.length).toBeLessThan(401);

  const { code, printed } = await invoke(command("many.jsonl", out));
  expect(printed).toMatchObject({ finished: true, counts: { items: 400 } });
  expect(code).toBe(0);
  const after = lines();
  expect(after.slice(0, before.length)).toEqual(before);
  const items = after.slice(1).map((line) => JSON.parse(line));
  expect(items.map(({ id }) => id)).toEqual(Array.from({ length: 400 }, (_, index) => `line-${index + 1}`));
  const seeds = items.flatMap((item) => item.samples.map(({ seed }: { seed: number }) => seed));
  expect(new Set(seeds).size).toBe(1600);
});

test.each([
  [[], "INVALID_ARGUMENT"],
  [["--task", "poetry"], "INVALID_ARGUMENT"],
  [["--task", "requirements", "--items", "2", "--hints", "some"], "INVALID_ARGUMENT"],
  [["--task", "requirements", "--items", "0"], "INVALID_ARGUMENT"],
  [["--data", file("missing.jsonl")], "FILE_NOT_FOUND"],
])("spct train rft refuses %j", async (args, code) => {
  const { printed } = await invoke([
    ...["train", "rft", "--model", modelPath, "--out", file("never.gguf")],
    ...args,
    "--json",
  ]);
  expect(printed.error.code).toBe(code);
});
