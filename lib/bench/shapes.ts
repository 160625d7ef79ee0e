import type { NativeRandomTensor } from "../native.js";
import type { GgufValue } from "../train/gguf_metadata.js";

/** The measures of a decoder-only model, as its GGUF states them. */
export interface ModelShape {
  architecture: "qwen3" | "llama" | "gemma2";
  layers: number;
  embedding: number;
  feedForward: number;
  heads: number;
  kvHeads: number;
  headSize: number;
  context: number;
  ropeBase: number;
  /** Whether the output matrix is the embedding's. */
  tied: boolean;
  /** Which of llama.cpp's vocabulary files (`models/ggml-vocab-*.gguf`) it gets, and how many tokens that has. */
  vocabulary: { name: "qwen2" | "llama-bpe" | "gemma-4"; size: number };
}

const qwen = { name: "qwen2", size: 151_936 } as const;
const llama = { name: "llama-bpe", size: 128_256 } as const;
/** Gemma 2's own has 256,000 tokens; llama.cpp ships that of Gemma 4. */
const gemma = { name: "gemma-4", size: 262_144 } as const;

const qwen3 = {
  architecture: "qwen3",
  context: 40_960,
  ropeBase: 1e6,
  headSize: 128,
  vocabulary: qwen,
} as const;
const llama3 = {
  architecture: "llama",
  context: 131_072,
  ropeBase: 5e5,
  vocabulary: llama,
} as const;

/** Shapes of models people judge with; `qwen3-0.1b` is none of them, but small enough for quick comparisons. */
export const shapes = {
  "qwen3-0.1b": {
    ...qwen3,
    layers: 12,
    embedding: 512,
    feedForward: 1536,
    heads: 8,
    kvHeads: 4,
    headSize: 64,
    tied: true,
  },
  "qwen3-0.6b": {
    ...qwen3,
    layers: 28,
    embedding: 1024,
    feedForward: 3072,
    heads: 16,
    kvHeads: 8,
    tied: true,
  },
  "qwen3-1.7b": {
    ...qwen3,
    layers: 28,
    embedding: 2048,
    feedForward: 6144,
    heads: 16,
    kvHeads: 8,
    tied: true,
  },
  "qwen3-8b": {
    ...qwen3,
    layers: 36,
    embedding: 4096,
    feedForward: 12_288,
    heads: 32,
    kvHeads: 8,
    tied: false,
  },
  "llama-1b": {
    ...llama3,
    layers: 16,
    embedding: 2048,
    feedForward: 8192,
    heads: 32,
    kvHeads: 8,
    headSize: 64,
    tied: true,
  },
  "llama-8b": {
    ...llama3,
    layers: 32,
    embedding: 4096,
    feedForward: 14_336,
    heads: 32,
    kvHeads: 8,
    headSize: 128,
    tied: false,
  },
  "gemma2-27b": {
    architecture: "gemma2",
    layers: 46,
    embedding: 4608,
    feedForward: 36_864,
    heads: 32,
    kvHeads: 16,
    headSize: 128,
    context: 8192,
    ropeBase: 1e4,
    tied: true,
    vocabulary: gemma,
  },
} satisfies Record<string, ModelShape>;

export type ShapeName = keyof typeof shapes;
export const shapeNames = Object.keys(shapes) as ShapeName[];
/** As ggml names them: every type that a file of weights can have without measuring which weights matter. */
export const weightTypes = [
  "f32",
  "f16",
  "bf16",
  "q8_0",
  "q6_K",
  "q5_K",
  "q5_1",
  "q5_0",
  "q4_K",
  "q4_1",
  "q4_0",
  "iq4_nl",
  "iq4_xs",
  "mxfp4",
  "q3_K",
  "q2_K",
] as const;
export type WeightType = (typeof weightTypes)[number];

/** A real judge is sure of most tokens: logits of this deviation put a few tokens far above the rest. */
const logitDeviation = 4;

/** The tensors of the model by their names in llama.cpp. Random weights keep the states at about unit size. */
export function tensorsOf(shape: ModelShape, type: WeightType): NativeRandomTensor[] {
  const { architecture, layers, embedding, feedForward, heads, kvHeads, headSize, vocabulary } = shape;
  const matrix = (name: string, columns: number, rows: number, scale = 1 / Math.sqrt(columns)) => ({
    name: `${name}.weight`,
    columns,
    rows,
    type,
    scale,
  });
  const norm = (name: string, columns = embedding) => ({
    ...matrix(name, columns, 0),
    type: "f32",
    scale: 0,
  });
  const output = (name: string) =>
    matrix(name, embedding, vocabulary.size, logitDeviation / Math.sqrt(embedding));
  const layer = (index: number) => {
    const part = (name: string) => `blk.${index}.${name}`;
    const extra = {
      llama: [],
      qwen3: [norm(part("attn_q_norm"), headSize), norm(part("attn_k_norm"), headSize)],
      gemma2: [norm(part("post_attention_norm")), norm(part("post_ffw_norm"))],
    }[architecture];
    return [
      norm(part("attn_norm")),
      norm(part("ffn_norm")),
      ...extra,
      matrix(part("attn_q"), embedding, heads * headSize),
      matrix(part("attn_k"), embedding, kvHeads * headSize),
      matrix(part("attn_v"), embedding, kvHeads * headSize),
      matrix(part("attn_output"), heads * headSize, embedding),
      matrix(part("ffn_gate"), embedding, feedForward),
      matrix(part("ffn_up"), embedding, feedForward),
      matrix(part("ffn_down"), feedForward, embedding),
    ];
  };
  return [
    ...(shape.tied
      ? [output("token_embd")]
      : [matrix("token_embd", embedding, vocabulary.size, 1), output("output")]),
    norm("output_norm"),
    ...Array.from({ length: layers }, (_, index) => layer(index)).flat(),
  ];
}

/** By architecture; none of them prints anything but the turns. */
export const chatTemplates = {
  qwen3:
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
  llama:
    "<|begin_of_text|>{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n{{ m.content }}<|eot_id|>{% endfor %}{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}",
  gemma2:
    "<bos>{% for m in messages %}<|turn>{{ m.role }}\n{{ m.content }}<turn|>\n{% endfor %}{% if add_generation_prompt %}<|turn>model\n{% endif %}",
};

/** What the model's GGUF says beside its vocabulary. */
export function metadataOf(name: ShapeName): Map<string, GgufValue> {
  const shape: ModelShape = shapes[name];
  const { architecture } = shape;
  const own: [string, GgufValue][] = [
    ["block_count", { type: "u32", value: shape.layers }],
    ["context_length", { type: "u32", value: shape.context }],
    ["embedding_length", { type: "u32", value: shape.embedding }],
    ["feed_forward_length", { type: "u32", value: shape.feedForward }],
    ["attention.head_count", { type: "u32", value: shape.heads }],
    ["attention.head_count_kv", { type: "u32", value: shape.kvHeads }],
    ["attention.key_length", { type: "u32", value: shape.headSize }],
    ["attention.value_length", { type: "u32", value: shape.headSize }],
    ["attention.layer_norm_rms_epsilon", { type: "f32", value: 1e-6 }],
    ["rope.freq_base", { type: "f32", value: shape.ropeBase }],
    ["rope.dimension_count", { type: "u32", value: shape.headSize }],
  ];
  if (architecture === "gemma2") {
    own.push(
      ["attention.sliding_window", { type: "u32", value: 4096 }],
      ["attn_logit_softcapping", { type: "f32", value: 50 }],
      ["final_logit_softcapping", { type: "f32", value: 30 }],
    );
  }
  return new Map<string, GgufValue>([
    ["general.architecture", { type: "string", value: architecture }],
    ["general.name", { type: "string", value: `${name}, random weights` }],
    ...own.map(([key, value]) => [`${architecture}.${key}`, value] as const),
    ["tokenizer.chat_template", { type: "string", value: chatTemplates[architecture] }],
  ]);
}
