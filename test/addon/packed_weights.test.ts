// Engines with packed weights or shared attention against engines without, on random models: the same distribution as far
// as the copies' types allow, the same text for the same seeds, and nothing left behind when they close.
import { readdirSync } from "node:fs";
import { afterAll, describe, expect, test } from "vitest";
import { loadAddon, type NativeEngine, type NativeEngineOptions } from "../../dist/native.js";
import { encodeGgufMetadata } from "../../dist/train/gguf_metadata.js";
import { scratchFolder, tinyModel, vocabularySize } from "./tiny_model.js";

const addon = loadAddon();
const { gemm, devices } = addon.systemInfo();
const file = scratchFolder();
const vocabularyPath = file("vocabulary.gguf", tinyModel());
const width = 128;
const rows = 12;

const metadata = encodeGgufMetadata(
  new Map([
    ["general.architecture", { type: "string", value: "llama" }],
    ["llama.block_count", { type: "u32", value: 1 }],
    ["llama.context_length", { type: "u32", value: 512 }],
    ["llama.embedding_length", { type: "u32", value: width }],
    ["llama.feed_forward_length", { type: "u32", value: 256 }],
    ["llama.attention.head_count", { type: "u32", value: 4 }],
    ["llama.attention.layer_norm_rms_epsilon", { type: "f32", value: 1e-5 }],
    ["llama.rope.dimension_count", { type: "u32", value: 32 }],
  ] as const),
);

async function randomModel(type: string): Promise<string> {
  const path = file(`${type}.gguf`, "");
  const matrix = (name: string, columns: number, count: number) => ({
    name: `${name}.weight`,
    columns,
    rows: count,
    type,
    scale: 1 / Math.sqrt(columns),
  });
  const norm = (name: string) => ({ ...matrix(name, width, 0), type: "f32" });
  const tensors = [
    matrix("token_embd", width, vocabularySize), // tied: the output too
    ...["output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"].map(norm),
    ...["attn_q", "attn_k", "attn_v", "attn_output"].map((part) => matrix(`blk.0.${part}`, width, width)),
    matrix("blk.0.ffn_gate", width, 256),
    matrix("blk.0.ffn_up", width, 256),
    matrix("blk.0.ffn_down", 256, width),
  ];
  await addon.writeRandomModel({ path, vocabularyPath, metadata, tensors, seed: 1, threads: 1 });
  return path;
}

const engines: NativeEngine[] = [];
async function load(options: NativeEngineOptions): Promise<NativeEngine> {
  const engine = await addon.loadEngine({
    threads: 2,
    contextTokens: 2048,
    flashAttention: "off",
    ...options,
  });
  engines.push(engine);
  return engine;
}
afterAll(async () => {
  await Promise.all(engines.map((engine) => engine.close()));
});

interface Sampled {
  tokens: number[];
  logprobs: number[];
}

interface Batch {
  continuations?: Int32Array[]; // to be scored, in place of samples
  seeds?: number[];
  firstToken?: number; // of the prompt
}

const allSeeds = Array.from({ length: rows }, (_, index) => index);

/** Samples with these seeds at once. */
function sample(
  engine: NativeEngine,
  { continuations, seeds = allSeeds, firstToken = 5 }: Batch = {},
): Promise<Sampled[]> {
  const group = {
    prompts: [Int32Array.from({ length: 20 }, (_, index) => firstToken + index)],
    samples: seeds.map((seed, index) => ({ prompt: 0, seed, continuation: continuations?.[index] })),
    ...{ temperature: 1, topK: 0, topP: 1, minP: 0, order: "temperature-first" as const },
    ...{ maxTokens: 16, logprobs: true },
  };
  const results: Sampled[] = [];
  return new Promise((resolve, reject) => {
    let open = seeds.length;
    engine.submit(group, ({ sample: index, tokens, logprobs, error }) => {
      if (error !== undefined) reject(new Error(error.message));
      results[index] = { tokens: [...tokens], logprobs: [...logprobs!] };
      if (--open === 0) resolve(results);
    });
  });
}

/** Of the log-probabilities of the first engine's samples. */
async function largestDifference(one: NativeEngine, other: NativeEngine): Promise<number> {
  const drawn = await sample(one);
  const continuations = drawn.map(({ tokens }) => Int32Array.from(tokens));
  const scored = await sample(other, { continuations });
  const differences = drawn.flatMap(({ logprobs }, index) =>
    logprobs.map((value, at) => Math.abs(value - scored[index]!.logprobs[at]!)),
  );
  expect(differences.length).toBeGreaterThan(100);
  return Math.max(...differences);
}

function packing() {
  // OpenMP lets every thread of the process sleep at once while more of its threads are about than there are cores. This comes
  // first: what is left behind once is there before the next load.
  test.skipIf(process.platform !== "linux")("the threads that pack end with it", async () => {
    const modelPath = await randomModel("q8_0");
    const loadSeveral = async (packedWeights: "on" | "off") => {
      const several = await Promise.all(Array.from({ length: 4 }, () => load({ modelPath, packedWeights })));
      await Promise.all(several.map((engine) => engine.close()));
    };
    const countThreads = () => readdirSync("/proc/self/task").length;
    await loadSeveral("off");
    const before = countThreads();
    await loadSeveral("on");
    await expect.poll(countThreads).toBe(before);
  });

  test.each([
    ["f16", 4, 0.01],
    ["bf16", 2, 0.03],
    ["q8_0", gemm.description === "AVX2" ? 1 : 2, 0.1],
    ["q4_0", 2, 0.1],
  ])("%s: copies of %i bytes a weight give the same distribution", async (type, bytes, tolerance) => {
    const modelPath = await randomModel(type);
    const plain = await load({ modelPath, packedWeights: "off" });
    expect(plain.info.packedWeights).toEqual({
      ...{ gemm: gemm.description, matrices: 0, bytes: 0, leastRows: 0 },
    });
    const packed = await load({ modelPath, packedWeights: "on" });
    const { gemm: multiplies, matrices, leastRows, bytes: size } = packed.info.packedWeights;
    expect(multiplies).toMatch(/^AVX/); // also where oneDNN would be faster
    expect(matrices).toBe(8);
    expect(leastRows).toBe(1);
    expect(size).toBeGreaterThanOrEqual(bytes * (4 * width ** 2 + 3 * 256 * width + vocabularySize * width));
    expect(await largestDifference(plain, packed)).toBeLessThan(tolerance);
  });

  test("the same seeds give the same text", async () => {
    const modelPath = await randomModel("q8_0");
    const first = await sample(await load({ modelPath, packedWeights: "on" }));
    const second = await sample(await load({ modelPath, packedWeights: "on" }));
    expect(second).toEqual(first);
  });

  test("a sample is the same to the last bit, whatever is in its batch", async () => {
    for (const type of ["q8_0", "bf16", "f32"]) {
      const modelPath = await randomModel(type);
      const engine = await load({ modelPath, packedWeights: "on", flashAttention: "on" });
      const alone: Sampled[] = [];
      for (const seed of allSeeds) alone.push(...(await sample(engine, { seeds: [seed] })));
      const others = [40, 70, 100].map((firstToken) => sample(engine, { firstToken }));
      expect(await sample(engine)).toEqual(alone);
      await Promise.all(others);
    }
  });

  test("a model that closes leaves no copies behind", async () => {
    const modelPath = await randomModel("q8_0");
    const before = await sample(await load({ modelPath, packedWeights: "off" }));
    const packed = await load({ modelPath, packedWeights: "on" });
    await sample(packed);
    await packed.close();
    const after = await sample(await load({ modelPath, packedWeights: "off" }));
    expect(after).toEqual(before);
  });

  test("very small models are packed by themselves", async () => {
    const packed = await load({ modelPath: await randomModel("f16") });
    expect(packed.info.packedWeights).toMatchObject({ matrices: 8, leastRows: 1 });
  });

  test("weights that may change are not packed", async () => {
    const modelPath = await randomModel("q8_0");
    await expect(load({ modelPath, packedWeights: "on", updatable: true })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining("updatable"),
    });
  });
}

function withoutPacking() {
  test("asking for packed weights fails, leaving it to the engine does not", async () => {
    const modelPath = await randomModel("q8_0");
    await expect(load({ modelPath, packedWeights: "on" })).rejects.toMatchObject({
      code: "PACKING_UNAVAILABLE",
      message: expect.stringContaining(gemm.description),
    });
    const engine = await load({ modelPath });
    expect(engine.info.packedWeights).toEqual({
      ...{ gemm: gemm.description, matrices: 0, bytes: 0, leastRows: 0 },
    });
  });
}

describe(gemm.description, gemm.available ? packing : withoutPacking);

const sharesAttention = devices.some(({ description }) =>
  description.includes("attention over shared cells"),
);

test("attention over shared cells agrees with llama.cpp's, which computes it when told so", async () => {
  const modelPath = await randomModel("f16");
  const common = { modelPath, packedWeights: "off", flashAttention: "on" } as const;
  const plain = await load({ ...common, sharedAttention: false });
  const shared = await load({ ...common, sharedAttention: undefined });
  expect(plain.info.sharedAttention).toBeUndefined();
  if (sharesAttention) expect(shared.info.sharedAttention).toMatch(/^AVX/);
  else expect(shared.info.sharedAttention).toBeUndefined();
  expect(await largestDifference(plain, shared)).toBeLessThan(0.01);
});

test("anything but auto, on and off is refused", async () => {
  const modelPath = await randomModel("q8_0");
  await expect(load({ modelPath, packedWeights: "yes" as "on" })).rejects.toThrow(
    "Expected 'auto', 'on' or 'off' for packedWeights but received 'yes'",
  );
});
