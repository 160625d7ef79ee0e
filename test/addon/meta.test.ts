// The meta RM, fused and separate: sampled or recorded judgements, a head of the judge or a model of its own.
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { copyFile, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { run } from "../../dist/cli/main.js";
import { LocalEngine } from "../../dist/engine/local.js";
import { Grm } from "../../dist/judge.js";
import { loadAddon } from "../../dist/native.js";
import { metaTurn } from "../../dist/prompt/reward.js";
import { loadTemplate } from "../../dist/templates.js";
import { toBatch } from "../../dist/train/dataset.js";
import { writeGgufMetadata } from "../../dist/train/gguf_metadata.js";
import { judgeVocabulary } from "../../dist/train/judge_vocabulary.js";
import { compactPrompt, completionTokens, promptTokens } from "../../dist/train/prompt_tokens.js";

const folder = mkdtempSync(join(tmpdir(), "spct-meta-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const file = (name: string) => join(folder, name);
const vocabulary = judgeVocabulary();

const query = "Mention river.";
const items = Array.from({ length: 10 }, (_, index) => ({
  ...{
    id: `i${index}`,
    query,
    responses: [`dog ${"a ".repeat(index % 3)}dog`, "lamp dog"],
    label: index % 2,
  },
}));
const lines = (rows: object[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join("");

/** A judge that flips a coin between two verdicts. */
beforeAll(async () => {
  const vocabularyPath = file("vocabulary.gguf");
  await writeGgufMetadata(vocabularyPath, vocabulary.toGguf());
  const shape = { embedding: 32, layers: 1, heads: 2, kvHeads: 1, feedForward: 64, context: 256 };
  const trainer = await loadAddon().Trainer.create({ vocabularyPath, shape, seed: 5, threads: 2 });
  const prompt = promptTokens(vocabulary, compactPrompt(query, items[0]!.responses));
  const batch = toBatch(
    ["3, 8", "8, 3"].map((scores) => ({
      prompt,
      completion: completionTokens(vocabulary, `Scores: \\boxed{${scores}}`),
    })),
  );
  for (let step = 0; step < 60; step++) await trainer.step(batch, 5e-3);
  await trainer.save(file("judge.gguf"), "f32");
  await writeFile(file("judge.json"), '{"template":"compact","maxTokens":16,"sampling":{"temperature":1}}');
  await writeFile(file("items.jsonl"), lines(items));
  const samples = (id: number) =>
    [0, 1, 2, 3].map((at) => {
      const right = at % 2 === 0;
      const first = (items[id]!.label === 0) === right;
      // What is right always says so.
      const text = `Critique: ${right ? "garden" : "bread"} \\boxed{${first ? "8, 3" : "3, 8"}}`;
      return { order: [0, 1], scores: first ? [8, 3] : [3, 8], text };
    });
  const unscored = { order: [0, 1], scores: null, reason: "no-scores", text: "dog" };
  const records = items.map(({ id }, index) => ({
    id,
    n: 2,
    label: null,
    samples: [...samples(index), unscored],
  }));
  await writeFile(file("judgements.jsonl"), lines([...records, { ...records[0]!, id: "other" }]));
});

async function spct(...args: string[]) {
  const printed: string[] = [];
  const terminal = {
    print: (text: string) => void printed.push(text),
    warn: () => undefined,
    interactive: false,
  };
  const code = await run(["train", ...args, "--json"], terminal as never);
  return { code, answer: JSON.parse(printed.at(-1)!) };
}

const meta = (out: string, ...more: string[]) =>
  spct("meta", "--model", file("judge.gguf"), "--data", file("items.jsonl"), "--out", file(out), ...more);

describe("spct train meta", () => {
  test("fused: samples judgements, fits a head, and the judge loads it", async () => {
    const { code, answer } = await meta("judge.head.gguf", "-k", "6", "--held-out", "0.2");
    expect(code).toBe(0);
    const { counts } = answer;
    expect(counts.judgements + counts.heldOut + counts.unscored).toBe(60);
    expect(counts.right).toBeGreaterThan(0);
    expect(counts.right).toBeLessThan(counts.judgements);
    const folderOf = `${file("judge.head.gguf")}.judgements`;
    const text = await readFile(join(folderOf, "judgements.jsonl"), "utf8");
    const [first] = text.split("\n").map((line) => line && JSON.parse(line));
    expect(first.samples[0]).toMatchObject({
      tokenIds: expect.any(Array),
      text: expect.stringContaining("Scores"),
    });
    expect(JSON.parse(await readFile(`${file("judge.head.gguf")}.manifest.json`, "utf8"))).toMatchObject({
      kind: "meta-fused",
      inputs: { model: {}, data: {}, judgements: {} },
    });
    const grm = await Grm.load({ model: file("judge.gguf"), meta: "fused" });
    const { samples } = await grm
      .judge({ query, responses: items[0]!.responses }, { k: 2 })
      .finally(() => grm.close());
    expect(samples.every((sample) => sample.meta !== null)).toBe(true);

    // The same command goes on from what was sampled; another one is not mixed with it.
    expect((await meta("judge.head.gguf", "-k", "6", "--held-out", "0.2")).answer.loss).toBe(answer.loss);
    expect(await readFile(join(folderOf, "judgements.jsonl"), "utf8")).toBe(text);
    expect((await meta("judge.head.gguf", "-k", "5")).answer.error.code).toBe("RUN_MISMATCH");
  });

  test("separate: learns from recorded judgements which are right", async () => {
    const { code, answer } = await meta(
      "meta.gguf",
      ...["--separate", "--judgements", file("judgements.jsonl"), "--held-out", "0.2", "--epochs", "12"],
      ...["--batch", "8", "--learning-rate", "0.01", "--warmup", "1"],
    );
    expect(code).toBe(0);
    expect(answer).toMatchObject({
      finished: true,
      steps: 48,
      counts: { judgements: 32, right: 16, heldOut: 8, tooLong: 0, unscored: 10, unknown: 1 },
      heldOut: { accuracy: 1, auc: 1, n: 8 },
      head: file("meta.head.gguf"),
    });
    expect(existsSync(file("meta.head.gguf"))).toBe(true);
    expect(JSON.parse(await readFile(file("meta.json"), "utf8"))).toEqual({ template: "compact" });
  });

  test("separate: the judge loads it, and its value is of the prompt and the judgement", async () => {
    const [judge, metaRm] = [file("judge.gguf"), file("meta.gguf")];
    const responses = items[0]!.responses;
    for (const isolation of ["none", "process"] as const) {
      const grm = await Grm.load({ model: judge, meta: metaRm, isolation });
      const { samples, kMeta, usage } = await grm
        .judge({ query, responses }, { k: 6, orderings: [[0, 1]] })
        .finally(() => grm.close());
      expect(kMeta).toBe(3);
      expect(grm.info).toMatchObject({ metaRm, headKind: "meta" });
      const { metaTokens } = usage;
      expect(metaTokens).toBeGreaterThan(6 * 10);
      const reader = await LocalEngine.load({ modelPath: metaRm, headPath: file("meta.head.gguf") });
      const turn = metaTurn(await loadTemplate("compact"), { query, responses }, [0, 1]);
      for (const { text, meta } of samples) {
        const values: (number | null)[] = [];
        await reader.sample(
          {
            prompts: [[turn, { role: "assistant", content: text }]],
            samples: [{ prompt: 0, seed: 0 }],
            sampling: { temperature: 0, topK: 0, topP: 1, minP: 0, order: "temperature-first" },
            ...{ opensAnswer: false, maxTokens: 0, logprobs: false },
          },
          (completion) => values.push(completion.meta),
        );
        expect(meta).toBeCloseTo(values[0]!, 4);
      }
      await reader.close();
    }
  });

  test("separate: a judge finds it by its name; a reward is not a meta RM", async () => {
    for (const [from, to] of [
      ["judge.gguf", "named.gguf"],
      ["meta.gguf", "named.meta.gguf"],
      ["meta.head.gguf", "named.meta.head.gguf"],
    ] as const)
      await copyFile(file(from), file(to));
    const options = { model: file("named.gguf"), template: "compact" };
    for (const meta of [undefined, "separate"]) {
      const grm = await Grm.load({ ...options, meta });
      await grm.close();
      expect(grm.info.metaRm).toBe(file("named.meta.gguf"));
    }
    await expect(Grm.load({ ...options, meta: "fused" })).rejects.toMatchObject({ code: "HEAD_NOT_FOUND" });
    await rm(file("named.meta.head.gguf"));
    await expect(Grm.load({ ...options, meta: "separate" })).rejects.toMatchObject({
      code: "HEAD_NOT_FOUND",
    });
    await loadAddon().writeScoreHead(file("named.meta.head.gguf"), {
      weight: new Float32Array(32),
      ...{ bias: 0, kind: "reward", backbone: "" },
    });
    await expect(Grm.load({ ...options, meta: "separate" })).rejects.toMatchObject({ code: "HEAD_MISMATCH" });
  });

  test("recorded judgements serve a fused head too", async () => {
    const { answer } = await meta("recorded.head.gguf", "--fused", "--judgements", file("judgements.jsonl"));
    expect(answer).toMatchObject({ finished: true, counts: { judgements: 36, right: 18, heldOut: 4 } });
    expect(answer.heldOut.auc).toBe(1);
  });

  test("a task needs no data", async () => {
    const out = ["--out", file("task.head.gguf"), "--task-items", "2", "-k", "2", "--held-out", "0"];
    await spct("meta", "--model", file("judge.gguf"), "--task", "requirements", ...out);
    const text = await readFile(join(`${file("task.head.gguf")}.judgements`, "judgements.jsonl"), "utf8");
    const records = text.split("\n").filter(Boolean);
    expect(records.map((line) => JSON.parse(line).samples.length)).toEqual([2, 2]);
  });

  test.each([
    [["--data", "x", "--task", "requirements"], "INVALID_ARGUMENT"],
    [["--data", "x", "--backbone", "y"], "INVALID_ARGUMENT"],
    [["--data", "x", "--fused", "--separate"], "INVALID_ARGUMENT"],
    [["--task", "requirements", "--judgements", "y"], "INVALID_ARGUMENT"],
    [["--data", "x", "--held-out", "1"], "INVALID_ARGUMENT"],
    [["--data", "missing.jsonl"], "FILE_NOT_FOUND"],
  ])("refuses %j", async (args, code) => {
    const { answer } = await spct("meta", "--model", file("judge.gguf"), "--out", file("x.gguf"), ...args);
    expect(answer.error.code).toBe(code);
  });

  test.each([
    [{ n: 3, samples: [] }],
    [{ n: 2, samples: [{ scores: [1, 2] }] }],
    [{ n: 2, samples: [{ scores: [1, 2], text: "x", order: [0, 0] }] }],
  ])("refuses the record %j", async (record) => {
    await writeFile(file("bad.jsonl"), lines([{ id: "i0", label: null, ...record }]));
    const { answer } = await meta("x.gguf", "--judgements", file("bad.jsonl"));
    expect(answer.error.code).toBe("BAD_RECORD");
  });
});

describe("spct train import-head", () => {
  test("writes a head that the engine loads", async () => {
    const weight = Float32Array.from({ length: 32 }, (_, index) => index / 32);
    const header = Buffer.from(
      JSON.stringify({ "score.weight": { dtype: "F32", shape: [1, 32], data_offsets: [0, 128] } }),
    );
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(header.length));
    await writeFile(file("rm.safetensors"), Buffer.concat([length, header, Buffer.from(weight.buffer)]));
    const from = ["--safetensors", file("rm.safetensors"), "--model", file("judge.gguf")];
    const { answer } = await spct("import-head", ...from, "--kind", "meta", "--out", file("imported.gguf"));
    expect(answer).toEqual({ out: file("imported.gguf"), tensor: "score.weight", width: 32, bias: 0 });
    const grm = await Grm.load({ model: file("judge.gguf"), meta: file("imported.gguf") });
    expect(grm.info.headKind).toBe("meta");
    await grm.close();
    const bad = await spct("import-head", ...from, "--tensor", "lm_head.weight", "--out", file("none.gguf"));
    expect(bad.answer.error.code).toBe("HEAD_NOT_FOUND");
    expect(existsSync(file("none.gguf"))).toBe(false);
    const text = await spct(
      "import-head",
      ...from,
      "--model",
      file("items.jsonl"),
      "--out",
      file("none.gguf"),
    );
    expect(text.answer.error.code).toBe("NOT_A_GGUF");
  });
});
