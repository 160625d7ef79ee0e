// Reinforcement learning as a whole: a judge that flips a coin learns the labels; a stopped run continues; a collapsed one ends.
import { mkdtempSync, rmSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { run } from "../../dist/cli/main.js";
import { loadAddon } from "../../dist/native.js";
import { loadTemplate } from "../../dist/templates.js";
import { modelText } from "../../dist/train/conversations.js";
import { toBatch } from "../../dist/train/dataset.js";
import { writeGgufMetadata } from "../../dist/train/gguf_metadata.js";
import { judgeVocabulary } from "../../dist/train/judge_vocabulary.js";
import { LiveJudge } from "../../dist/train/live_judge.js";
import { compactPrompt, completionTokens, promptTokens } from "../../dist/train/prompt_tokens.js";
import { type RlOptions, type RlReport, trainRl } from "../../dist/train/rl.js";
import type { RlItem } from "../../dist/train/rl_items.js";
import { rollOut } from "../../dist/train/rollouts.js";

const folder = mkdtempSync(join(tmpdir(), "spct-rl-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const file = (name: string) => join(folder, name);
const modelPath = file("coin.gguf");
const vocabulary = judgeVocabulary();
const item: RlItem = { id: "a", query: "Mention river.", responses: ["a river"], label: 1 };

/** Learns to answer "Scores: \\boxed{0}" and "Scores: \\boxed{1}" equally often, whatever it is asked. */
beforeAll(async () => {
  const vocabularyPath = file("vocabulary.gguf");
  await writeGgufMetadata(vocabularyPath, vocabulary.toGguf());
  const shape = { embedding: 32, layers: 1, heads: 2, kvHeads: 1, feedForward: 64, context: 256 };
  const trainer = await loadAddon().Trainer.create({ vocabularyPath, shape, seed: 5, threads: 2 });
  const prompt = promptTokens(vocabulary, compactPrompt(item.query as string, item.responses));
  const batch = toBatch(
    [0, 1].map((score) => ({
      prompt,
      completion: completionTokens(vocabulary, `Scores: \\boxed{${score}}`),
    })),
  );
  for (let step = 0; step < 60; step++) await trainer.step(batch, 5e-3);
  await trainer.save(modelPath, "f32");
});

async function prepare(name: string, options: Partial<RlOptions> = {}, path = modelPath) {
  const trainer = await loadAddon().Trainer.open({ path, threads: 2 });
  const reference = await loadAddon().Trainer.open({ path: modelPath, threads: 2 });
  const judge = new LiveJudge(file(`${name}.live.gguf`), "f32", { template: "compact", threads: 2 });
  const reports: RlReport[] = [];
  const all: RlOptions = {
    items: () => [item, { ...item, id: "b", responses: ["the lake"] }],
    judge,
    template: await loadTemplate("compact"),
    text: await modelText(modelPath, trainer),
    schedule: { steps: 12, peak: 5e-3, warmup: 1, floor: 1 },
    seed: 1,
    groupSize: 8,
    maxTokens: 12,
    onReport: (report) => void reports.push(report),
    ...options,
  };
  const train = async () => {
    try {
      return await trainRl(trainer, reference, all);
    } finally {
      await judge.close();
    }
  };
  return { trainer, judge, all, reports, train };
}

test("a group shares its prompt, which the trainer sees as the engine did", async () => {
  const { trainer, judge, all } = await prepare("group");
  try {
    const grm = await judge.refresh(trainer);
    const options = { groupSize: 4, temperature: 1, maxTokens: 12, seed: 3 };
    const trajectories = await rollOut(grm, all.template, all.text, all.items(0), options);
    expect(trajectories.map((trajectory) => trajectory.item.id)).toEqual([..."aaaabbbb"]);
    const found = await trainer.logProbabilities(toBatch(trajectories), 1);
    let at = 0;
    for (const [index, { prompt, logProbabilities, valid, reward }] of trajectories.entries()) {
      expect(prompt).toEqual(trajectories[index < 4 ? 0 : 4]!.prompt);
      for (const value of logProbabilities) expect(Math.abs(value - found[at++]!)).toBeLessThan(0.02);
      if (!valid) expect(reward).toBe(-1);
    }
    expect(at).toBe(found.length);
    expect(trajectories[0]!.prompt).not.toEqual(trajectories[4]!.prompt);
    const again = await rollOut(grm, all.template, all.text, all.items(0), options);
    expect(again.map(({ completion }) => completion)).toEqual(
      trajectories.map(({ completion }) => completion),
    );
    const aborted = AbortSignal.abort();
    await expect(
      rollOut(grm, all.template, all.text, all.items(0), { ...options, signal: aborted }),
    ).rejects.toMatchObject({ code: "CANCELLED" });
    await expect(
      rollOut(
        grm,
        all.template,
        all.text,
        [item, { ...item, id: "long", query: "river ".repeat(900) }],
        options,
      ),
    ).rejects.toMatchObject({
      code: "CONTEXT_OVERFLOW",
      message: expect.stringContaining("Item long"),
    });
  } finally {
    await judge.close();
  }
});

describe("a run", () => {
  test("learns the labels and says what happened", async () => {
    const logPath = file("learn.jsonl");
    const { train, reports, trainer } = await prepare("learn", {
      logPath,
      heldOut: { items: [item], every: 6 },
      checkpointPath: file("learn.checkpoint"),
    });
    expect(await train()).toEqual({ finished: true, steps: 12 });
    expect(reports[0]!.reward).toBeLessThan(0.7);
    expect(reports.at(-1)!.reward).toBeGreaterThan(0.9);
    expect(reports[0]!.kl).toBeLessThan(1e-6);
    expect(reports.at(-1)!.kl).toBeGreaterThan(0.001);
    expect(reports.at(-1)!.entropy).toBeLessThan(reports[0]!.entropy);
    expect(reports.at(-1)!.heldOut).toMatchObject({ accuracy: 1, n: 1 });
    const lines = (await readFile(logPath, "utf8"))
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    expect(lines[5]).toMatchObject({
      invalid: expect.any(Number),
      length: expect.any(Number),
      heldOut: { n: 1 },
    });
    expect(trainer.info.stepsDone).toBe(12);
  });

  test("leaves groups of equal rewards out of the update when told to", async () => {
    const schedule = { steps: 6, peak: 5e-3, warmup: 1, floor: 1 };
    const { train, reports, trainer } = await prepare("skip", { schedule, skipEven: true });
    expect(await train()).toEqual({ finished: true, steps: 6 });
    expect(reports.at(-1)!.reward).toBeGreaterThan(reports[0]!.reward);
    for (const { even, length, completionTokens } of reports) {
      if (even === 0.5) expect(completionTokens).toBeLessThan(16 * length);
      if (even === 0) expect(completionTokens).toBe(Math.round(16 * length));
    }
    expect(reports.some(({ even }) => even === 0.5)).toBe(true);
    expect(trainer.info.stepsDone).toBe(6);
  });

  test("that is stopped continues after its last whole step", async () => {
    const stop = new AbortController();
    const logPath = file("stop.jsonl");
    const checkpointPath = file("stop.checkpoint");
    const onReport = ({ step }: RlReport) => {
      if (step === 3) stop.abort();
    };
    const first = await prepare("stop", { logPath, checkpointPath, signal: stop.signal, onReport });
    expect(await first.train()).toEqual({ finished: false, steps: 3 });
    await writeFile(
      logPath,
      `${await readFile(logPath, "utf8")}{"step":4,"of":"a step that was lost"}\n{"ste`,
    );
    const second = await prepare(
      "stop",
      { logPath, checkpointPath, schedule: { steps: 5, peak: 1e-3, warmup: 0, floor: 1 } },
      checkpointPath,
    );
    expect(await second.train()).toEqual({ finished: true, steps: 5 });
    expect(second.reports.map(({ step }) => step)).toEqual([4, 5]);
    const lines = (await readFile(logPath, "utf8"))
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines.map(({ step, of }) => [step, of])).toEqual([1, 2, 3, 4, 5].map((step) => [step, undefined]));
  });

  test("whose policy collapses ends, and keeps the checkpoint from before", async () => {
    const checkpointPath = file("collapse.checkpoint");
    const { train, reports } = await prepare("collapse", {
      schedule: { steps: 200, peak: 0.5, warmup: 0, floor: 1 },
      grpo: { beta: 0 },
      updates: 2,
      checkpointPath,
      checkpointEvery: 1,
    });
    const { finished, collapsed, steps } = await train();
    expect(finished).toBe(false);
    expect(collapsed).toMatch(/entropy|scores/);
    expect(reports).toHaveLength(steps);
    const kept = await loadAddon().Trainer.open({ path: checkpointPath });
    expect(JSON.parse(kept.info.note).step).toBe(steps - 1);
  });

  test("without a checkpoint leaves an older log alone", async () => {
    const logPath = file("older.jsonl");
    const older = '{"step":7,"of":"another run"}\n';
    await writeFile(logPath, `${older}{"step":8,"of":"a line cut sh`);
    const { train } = await prepare("older", {
      logPath,
      schedule: { steps: 1, peak: 1e-3, warmup: 0, floor: 1 },
    });
    await train();
    const text = await readFile(logPath, "utf8");
    expect(text.startsWith(older)).toBe(true);
    expect(JSON.parse(text.slice(older.length)).step).toBe(1);
  });

  test("needs a reference unless beta is 0", async () => {
    const { trainer, judge, all } = await prepare("free");
    const schedule = { steps: 1, peak: 1e-3, warmup: 0, floor: 1 };
    try {
      await expect(trainRl(trainer, null, all)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
      const result = await trainRl(trainer, null, { ...all, schedule, grpo: { beta: 0 } });
      expect(result).toEqual({ finished: true, steps: 1 });
    } finally {
      await judge.close();
    }
  });

  test("does not go on from a checkpoint of another kind", async () => {
    const trainer = await loadAddon().Trainer.open({ path: modelPath });
    await trainer.saveCheckpoint(file("other.gguf"), "epoch 3");
    const { train } = await prepare("other", {}, file("other.gguf"));
    await expect(train()).rejects.toMatchObject({ code: "BAD_CHECKPOINT" });
  });
});

describe("spct train rl", () => {
  const invoke = async (...args: string[]) => {
    const printed: string[] = [];
    const terminal = {
      print: (text: string) => void printed.push(text),
      warn: () => undefined,
      interactive: false,
    };
    const code = await run(
      ["train", "rl", "--model", modelPath, "--template", "compact", ...args, "--json"],
      terminal as never,
    );
    return { code, printed: JSON.parse(printed[0]!) };
  };

  test("reinforces on a file and writes the model", async () => {
    const { id: _, ...row } = item;
    await writeFile(file("items.jsonl"), `${JSON.stringify(row)}\n`.repeat(3));
    const out = file("reinforced.gguf");
    const { code, printed } = await invoke(
      "--data",
      file("items.jsonl"),
      "--out",
      out,
      "--steps",
      "2",
      "--batch",
      "2",
      "--max-tokens",
      "12",
    );
    expect(printed).toMatchObject({ finished: true, steps: 2 });
    expect(code).toBe(0);
    expect((await loadAddon().Trainer.open({ path: out })).info.stepsDone).toBe(0);
    expect(JSON.parse(await readFile(`${out}.manifest.json`, "utf8"))).toMatchObject({
      kind: "rl",
      options: { steps: 2, beta: 0.08 },
      inputs: { model: { path: modelPath }, data: { path: file("items.jsonl") } },
      counts: { steps: 2 },
    });
  });

  test.each([
    [["--steps", "0", "--task", "requirements"], "INVALID_ARGUMENT"],
    [["--task", "poetry"], "INVALID_ARGUMENT"],
    [[], "INVALID_ARGUMENT"],
    [["--task", "requirements", "--normalization", "mean"], "INVALID_ARGUMENT"],
    [["--task", "requirements", "--beta", "-1"], "INVALID_ARGUMENT"],
    [["--data", file("missing.jsonl")], "FILE_NOT_FOUND"],
  ])("refuses %j", async (args, code) => {
    const { printed } = await invoke("--out", file("never.gguf"), ...args);
    expect(printed.error.code).toBe(code);
  });
});
