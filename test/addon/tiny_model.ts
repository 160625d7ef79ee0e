// A GGUF writer and a tiny random judge. Its weights are noise, but its vocabulary has whole score boxes, so that sampling it
// gives judgements: some with scores, some without.
import { Buffer } from "node:buffer";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";

type Value = string | boolean | string[] | number[] | { u32: number } | { f32: number };

interface Tensor {
  name: string;
  /** Fastest first, as ggml counts. */
  shape: number[];
  values: Float32Array;
}

const codes = { u32: 4, i32: 5, f32: 6, bool: 7, string: 8, array: 9 };
const alignment = 32;

function u32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32LE(value);
  return buffer;
}

function u64(value: number): Buffer {
  const buffer = Buffer.alloc(8);
  buffer.writeBigUInt64LE(BigInt(value));
  return buffer;
}

function string(value: string): Buffer {
  return Buffer.concat([u64(Buffer.byteLength(value)), Buffer.from(value)]);
}

function encode(value: Value): Buffer {
  if (typeof value === "string") return Buffer.concat([u32(codes.string), string(value)]);
  if (typeof value === "boolean") return Buffer.concat([u32(codes.bool), Buffer.from([value ? 1 : 0])]);
  if (Array.isArray(value)) {
    const texts = typeof value[0] === "string";
    const entries = value.map((entry) => (typeof entry === "string" ? string(entry) : u32(entry)));
    return Buffer.concat([
      u32(codes.array),
      u32(texts ? codes.string : codes.i32),
      u64(value.length),
      ...entries,
    ]);
  }
  if ("u32" in value) return Buffer.concat([u32(codes.u32), u32(value.u32)]);
  const float = Buffer.alloc(4);
  float.writeFloatLE(value.f32);
  return Buffer.concat([u32(codes.f32), float]);
}

export function encodeGguf(metadata: Record<string, Value>, tensors: Tensor[]): Buffer {
  const pad = (size: number) => (alignment - (size % alignment)) % alignment;
  const head = [Buffer.from("GGUF"), u32(3), u64(tensors.length), u64(Object.keys(metadata).length)];
  for (const [key, value] of Object.entries(metadata)) head.push(string(key), encode(value));
  let offset = 0;
  for (const { name, shape, values } of tensors) {
    head.push(string(name), u32(shape.length), ...shape.map(u64), u32(0), u64(offset));
    offset += values.byteLength + pad(values.byteLength);
  }
  const header = Buffer.concat(head);
  const data = tensors.flatMap(({ values }) => [
    Buffer.from(values.buffer, values.byteOffset, values.byteLength),
    Buffer.alloc(pad(values.byteLength)),
  ]);
  return Buffer.concat([header, Buffer.alloc(pad(header.length)), ...data]);
}

/** Uniform noise of standard deviation `scale`; the same seed gives the same numbers. */
function noise(seed: number, count: number, scale: number): Float32Array {
  let state = seed * 2654435761 + 1;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state / 2 ** 32 - 0.5) * Math.sqrt(12) * scale;
  });
}

const width = 32;
const hidden = 64;
const layers = 2;
const heads = 4;

const controls = ["<|user|>", "<|assistant|>", "<|system|>", "<|end|>", "<|im_end|>", "<start_of_turn>"];
const words = [
  "Principles:\n",
  "Critique:\n",
  "Scores: ",
  "1. clear (weight 2)\n",
  " better",
  " response",
  " is",
  " the",
];
const boxes = Array.from(
  { length: 40 },
  (_, index) => `\\boxed{${1 + (index % 10)}, ${1 + Math.floor(index / 4)}}`,
);
const singles = Array.from({ length: 10 }, (_, index) => `\\boxed{${1 + index}}`);
/** Makes 100,000 equal letters a prompt that a test can wait for. */
const run = "A".repeat(500);
const vocabulary = [...words, ...boxes, ...singles, run];
export const vocabularySize = 256 + controls.length + vocabulary.length;

const chatTemplate =
  "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}";

/** Control characters and bytes above 127 as RWKV vocabularies write them. */
function escapeText(text: string): string {
  return [...Buffer.from(text)]
    .map((byte) => {
      if (byte === 0x5c) return "\\\\";
      return byte < 0x20 || byte > 0x7e
        ? `\\x${byte.toString(16).padStart(2, "0")}`
        : String.fromCharCode(byte);
    })
    .join("");
}

function metadata(context: number, withChatTemplate: boolean): Record<string, Value> {
  const bytes = Array.from({ length: 256 }, (_, byte) =>
    byte === 0x5c
      ? "\\\\"
      : byte < 0x20 || byte > 0x7e
        ? `\\x${byte.toString(16).padStart(2, "0")}`
        : String.fromCharCode(byte),
  );
  const normal = 1;
  const control = 3;
  const byteType = 6;
  return {
    "general.architecture": "llama",
    "general.name": "tiny",
    "llama.context_length": { u32: context },
    "llama.embedding_length": { u32: width },
    "llama.block_count": { u32: layers },
    "llama.feed_forward_length": { u32: hidden },
    "llama.attention.head_count": { u32: heads },
    "llama.attention.layer_norm_rms_epsilon": { f32: 1e-5 },
    "llama.rope.dimension_count": { u32: width / heads },
    "llama.vocab_size": { u32: vocabularySize },
    "tokenizer.ggml.model": "rwkv",
    "tokenizer.ggml.tokens": [...bytes, ...controls.map(escapeText), ...vocabulary.map(escapeText)],
    "tokenizer.ggml.token_type": [
      ...bytes.map(() => byteType),
      ...controls.map(() => control),
      ...vocabulary.map(() => normal),
    ],
    "tokenizer.ggml.eos_token_id": { u32: 256 + controls.indexOf("<|end|>") },
    "tokenizer.ggml.eot_token_id": { u32: 256 + controls.indexOf("<|end|>") },
    "tokenizer.ggml.add_bos_token": false,
    "tokenizer.ggml.add_eos_token": false,
    ...(withChatTemplate ? { "tokenizer.chat_template": chatTemplate } : {}),
  };
}

function tensors(seed: number): Tensor[] {
  const matrix = (name: string, input: number, output: number, salt: number): Tensor => ({
    name,
    shape: [input, output],
    values: noise(seed * 1000 + salt, input * output, 1 / Math.sqrt(input)),
  });
  const norm = (name: string): Tensor => ({ name, shape: [width], values: new Float32Array(width).fill(1) });
  return [
    { ...matrix("token_embd.weight", width, vocabularySize, 1) },
    norm("output_norm.weight"),
    matrix("output.weight", width, vocabularySize, 2),
    ...Array.from({ length: layers }, (_, layer) => {
      const salt = 10 * (layer + 1);
      return [
        norm(`blk.${layer}.attn_norm.weight`),
        norm(`blk.${layer}.ffn_norm.weight`),
        matrix(`blk.${layer}.attn_q.weight`, width, width, salt + 1),
        matrix(`blk.${layer}.attn_k.weight`, width, width, salt + 2),
        matrix(`blk.${layer}.attn_v.weight`, width, width, salt + 3),
        matrix(`blk.${layer}.attn_output.weight`, width, width, salt + 4),
        matrix(`blk.${layer}.ffn_gate.weight`, width, hidden, salt + 5),
        matrix(`blk.${layer}.ffn_up.weight`, width, hidden, salt + 6),
        matrix(`blk.${layer}.ffn_down.weight`, hidden, width, salt + 7),
      ];
    }).flat(),
  ];
}

export interface TinyOptions {
  context?: number;
  chatTemplate?: boolean;
  seed?: number;
}

export function tinyModel({
  context = 8192,
  chatTemplate: withTemplate = true,
  seed = 1,
}: TinyOptions = {}): Buffer {
  return encodeGguf(metadata(context, withTemplate), tensors(seed));
}

/** A head file: its value is `weight` times the sum of the last state's entries, plus `bias`. */
export function tinyHead({ bias = 0, weight = 0, size = width } = {}): Buffer {
  return encodeGguf(
    {
      "spct.head.kind": "meta",
      "spct.head.activation": "none",
      "spct.head.pooling": "last",
      "spct.head.backbone": "",
    },
    [
      { name: "head.weight", shape: [size], values: new Float32Array(size).fill(weight) },
      { name: "head.bias", shape: [1], values: Float32Array.of(bias) },
    ],
  );
}

/** Writes files into a folder of the calling test file, which is removed at its end. */
export function scratchFolder(): (name: string, content: Buffer | string) => string {
  const folder = mkdtempSync(join(tmpdir(), "spct-test-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return (name, content) => {
    const path = join(folder, name);
    writeFileSync(path, content);
    return path;
  };
}
