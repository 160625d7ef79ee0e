import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { weightTypes } from "../../dist/bench/shapes.js";
import { loadAddon, type NativeRandomModel } from "../../dist/native.js";
import { encodeGgufMetadata } from "../../dist/train/gguf_metadata.js";
import { scratchFolder, tinyModel, vocabularySize } from "./tiny_model.js";

const file = scratchFolder();
const vocabularyPath = file("vocabulary.gguf", tinyModel());

const metadataFor = (width: number) =>
  encodeGgufMetadata(
    new Map([
      ["general.architecture", { type: "string", value: "llama" }],
      ["llama.block_count", { type: "u32", value: 1 }],
      ["llama.context_length", { type: "u32", value: 512 }],
      ["llama.embedding_length", { type: "u32", value: width }],
      ["llama.feed_forward_length", { type: "u32", value: width }],
      ["llama.attention.head_count", { type: "u32", value: 2 }],
      ["llama.attention.layer_norm_rms_epsilon", { type: "f32", value: 1e-5 }],
      ["llama.rope.dimension_count", { type: "u32", value: width / 2 }],
    ] as const),
  );

const norm = { name: "norm", columns: 64, rows: 0, type: "f32", scale: 0 };

function model(
  name: string,
  changes: Partial<NativeRandomModel> = {},
  type = "q8_0",
  width = 64,
): NativeRandomModel {
  const matrix = (tensor: string, rows: number) => ({
    name: `${tensor}.weight`,
    columns: width,
    rows,
    type,
    scale: 1 / Math.sqrt(width),
  });
  const tensors = [
    matrix("token_embd", vocabularySize),
    ...["output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"].map((part) => matrix(part, 0)),
    ...["attn_q", "attn_k", "attn_v", "attn_output"].map((part) => matrix(`blk.0.${part}`, width)),
    ...["ffn_gate", "ffn_up", "ffn_down"].map((part) => matrix(`blk.0.${part}`, width)),
  ];
  const metadata = metadataFor(width);
  return { path: file(name, ""), vocabularyPath, metadata, tensors, seed: 1, threads: 1, ...changes };
}

test.each(weightTypes)("llama.cpp loads a random model in %s", async (type) => {
  const random = model(`random-${type}.gguf`, {}, type, 256);
  await loadAddon().writeRandomModel(random);
  const engine = await loadAddon().loadEngine({ modelPath: random.path, threads: 1 });
  expect(engine.info).toMatchObject({ architecture: "llama", embedding: 256, vocabulary: vocabularySize });
  expect(engine.info.chatTemplate).toContain("messages");
  await engine.close();
});

test("the file is a function of the seed, not of the threads", async () => {
  const files = [model("one.gguf"), model("four.gguf", { threads: 4 }), model("other.gguf", { seed: 2 })];
  for (const random of files) await loadAddon().writeRandomModel(random);
  const [one, four, other] = files.map(({ path }) => readFileSync(path));
  expect(four!.equals(one!)).toBe(true);
  expect(other!.equals(one!)).toBe(false);
});

test.each([
  ["MODEL_NOT_FOUND", "no such file", { vocabularyPath: "/nowhere.gguf" }, "q8_0"],
  ["INVALID_ARGUMENT", "bytes of a GGUF", { metadata: new Uint8Array(4) }, "q8_0"],
  ["INVALID_ARGUMENT", "multiple of 256 columns for token_embd.weight", {}, "q4_K"],
  ["INVALID_ARGUMENT", "received nonsense", {}, "nonsense"],
  ["INVALID_ARGUMENT", "received norm again", { tensors: [norm, norm] }, "q8_0"],
  ["WRITE_FAILED", "could not be written", { path: "/nowhere/model.gguf" }, "q8_0"],
] as const)("%s: %s", async (code, message, changes, type) => {
  const failure = loadAddon().writeRandomModel(model("failing.gguf", changes, type));
  await expect(failure).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
});
