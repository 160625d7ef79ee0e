// A live engine that takes a trainer's weights must judge as one that is loaded from the trainer's file, and keep what it
// has when the weights do not fit.
import { statSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Completion, type Engine, Grm, LocalEngine, type SampleRequest } from "../../dist/index.js";
import { loadAddon } from "../../dist/native.js";
import { toBatch } from "../../dist/train/dataset.js";
import { LiveJudge } from "../../dist/train/live_judge.js";
import type { NativeTrainer } from "../../dist/train/native.js";
import { scratchFolder, tinyHead, tinyModel } from "./tiny_model.js";

const write = scratchFolder();
const types = ["f32", "f16", "q8_0"] as const;
let model: string;
let headPath: string;
let trainer: NativeTrainer;
const file = (name: string) => join(dirname(model), name);
beforeAll(async () => {
  model = write("tiny.gguf", tinyModel());
  headPath = write("tiny.head.gguf", tinyHead({ weight: 0.1 }));
  trainer = await loadAddon().Trainer.open({ path: model, threads: 2 });
});

const load = (modelPath: string, more = {}) =>
  LocalEngine.load({ modelPath, headPath, threads: 1, updatable: true, ...more });

/** Moves all weights. */
async function train(seed: number): Promise<void> {
  const completion = Int32Array.from({ length: 40 }, (_, index) => 32 + ((seed * 31 + index * 7) % 90));
  await trainer.step(toBatch([{ prompt: [65, 66], completion }]), 0.02);
}

function request(samples: number, maxTokens = 24): SampleRequest {
  return {
    prompts: [[{ role: "user", content: "Scores?" }]],
    samples: Array.from({ length: samples }, (_, seed) => ({ prompt: 0, seed })),
    sampling: { temperature: 0, topK: 0, topP: 1, minP: 0, order: "temperature-first" },
    maxTokens,
    logprobs: true,
  };
}

async function answer(engine: Engine, asked = request(1)): Promise<Completion> {
  const completions: Completion[] = [];
  await engine.sample(asked, (completion) => completions.push(completion));
  return completions[0]!;
}

describe("an engine that takes a trainer's weights", () => {
  test.each(types)("answers as the trainer's %s file does, again and again", async (type) => {
    const start = file(`start.${type}.gguf`);
    await trainer.save(start, type);
    const engine = await load(start);
    const texts = new Set<string>();
    for (let round = 0; round < 3; round++) {
      await train(round);
      await engine.loadWeights(trainer);
      const saved = file(`saved.${type}.gguf`);
      await trainer.save(saved, type);
      const fresh = await load(saved);
      const [live, expected] = [await answer(engine), await answer(fresh)];
      await fresh.close();
      expect(live).toEqual(expected);
      expect(live.logprobs).toHaveLength(live.tokens);
      texts.add(`${live.text} ${live.meta}`);
    }
    await engine.close();
    expect(texts.size).toBe(3);
  });

  test("ends what was asked before with the old ones and starts what comes later with the new ones", async () => {
    const engine = await load(model);
    const old = await answer(engine);
    const before = answer(engine, request(8, 200));
    const changed = (async () => {
      await new Promise((resolve) => setTimeout(resolve, 20)); // the request has reached the engine by then
      await train(9);
      const loading = engine.loadWeights(trainer);
      const after = answer(engine);
      await loading;
      return after;
    })();
    expect((await before).text.startsWith(old.text)).toBe(true);
    const after = await changed;
    await trainer.save(file("after.gguf"), "f32");
    const fresh = await load(file("after.gguf"));
    expect(after).toEqual(await answer(fresh));
    expect(after.logprobs).not.toEqual(old.logprobs);
    await Promise.all([engine.close(), fresh.close()]);
  });

  test("keeps its own when they do not fit, or were not to be changed", async () => {
    const engine = await load(model);
    const fixed = await load(model, { updatable: false });
    const before = await answer(engine);
    const shape = { embedding: 32, layers: 1, heads: 4, kvHeads: 4, feedForward: 64, context: 64 };
    for (const wrong of [shape, { ...shape, layers: 2, feedForward: 96 }, { ...shape, layers: 3 }]) {
      const other = await loadAddon().Trainer.create({ vocabularyPath: model, shape: wrong, seed: 1 });
      await expect(engine.loadWeights(other)).rejects.toMatchObject({ code: "WEIGHTS_MISMATCH" });
      expect(other.info.layers).toBe(wrong.layers); // no longer busy
    }
    await expect(fixed.loadWeights(trainer)).rejects.toMatchObject({ code: "NOT_UPDATABLE" });
    await expect(engine.loadWeights({} as never)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    const long = { prompt: [65], completion: new Int32Array(1000).fill(66) };
    const evaluating = trainer.evaluate(toBatch(Array.from({ length: 8 }, () => long)));
    await expect(engine.loadWeights(trainer)).rejects.toMatchObject({ code: "BUSY" });
    await evaluating;
    expect(await answer(engine)).toEqual(before);
    await Promise.all([engine.close(), fixed.close()]);
    await expect(engine.loadWeights(trainer)).rejects.toMatchObject({ code: "CLOSED" });
    expect(trainer.info.layers).toBe(2);
  });

  test("and is closed meanwhile says so", async () => {
    const engine = await load(model);
    const judging = answer(engine, request(32, 4000)).catch(({ code }) => code);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const loading = engine.loadWeights(trainer).catch(({ code }) => code);
    await new Promise((resolve) => setTimeout(resolve, 20));
    await engine.close();
    expect([await judging, await loading]).toEqual(["CLOSED", "CLOSED"]);
    expect(trainer.info.layers).toBe(2);
  });

  test("takes head weights too", async () => {
    const engine = await load(model);
    const before = (await answer(engine)).meta!;
    await engine.loadHead({ weight: new Float32Array(32).fill(0.2), bias: 1 });
    expect((await answer(engine)).meta).toBeCloseTo(2 * before + 1, 4);
    const narrow = engine.loadHead({ weight: new Float32Array(31), bias: 0 });
    await expect(narrow).rejects.toMatchObject({ code: "HEAD_MISMATCH" });
    await engine.close();
    const plain = await load(model, { headPath: undefined });
    const none = plain.loadHead({ weight: new Float32Array(32), bias: 0 });
    await expect(none).rejects.toMatchObject({ code: "NO_HEAD" });
    await plain.close();
  });

  test("holds no more memory after many times", async () => {
    const engine = await load(model);
    for (let round = 0; round < 200; round++) await engine.loadWeights(trainer);
    const before = process.memoryUsage().rss;
    for (let round = 0; round < 2000; round++) await engine.loadWeights(trainer);
    // Had each of them kept one copy of the weights, these would be 250 MB.
    expect(process.memoryUsage().rss - before).toBeLessThan(50e6);
    await engine.close();
  });
});

describe("a live judge", () => {
  const query = { query: "q", responses: ["a", "b"] };
  const options = { k: 2, maxTokens: 16, temperature: 0 };
  let judge: LiveJudge;
  afterAll(() => judge.close());

  test.each(["none", "process"] as const)("with isolation %s judges as the file does", async (isolation) => {
    judge = new LiveJudge(file(`live.${isolation}.gguf`), "f16", {
      template: "compact",
      threads: 1,
      isolation,
    });
    const judges = new Set<Grm>();
    for (let round = 0; round < 2; round++) {
      await train(20 + round);
      const written = round === 0 ? 0 : statSync(file(`live.${isolation}.gguf`)).mtimeMs;
      const grm = await judge.refresh(trainer);
      judges.add(grm);
      const rewritten = statSync(file(`live.${isolation}.gguf`)).mtimeMs > written;
      expect(rewritten).toBe(round === 0 || isolation === "process");
      await trainer.save(file("same.gguf"), "f16");
      const fresh = await Grm.load({
        model: file("same.gguf"),
        template: "compact",
        threads: 1,
        packedWeights: isolation === "none" ? "off" : "auto", // weights that may change are not packed
      });
      expect((await grm.judge(query, options)).samples).toEqual((await fresh.judge(query, options)).samples);
      await fresh.close();
    }
    expect(judges.size).toBe(isolation === "process" ? 2 : 1);
    await judge.close();
  });
});
