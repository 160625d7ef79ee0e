import { type ModelShape, tensorsOf, type WeightType } from "./shapes.js";

/** Bytes that one decoding step must read at least, and what it must compute. */
export interface StepCost {
  weightBytes: number;
  cacheBytes: number;
  matmulFlops: number;
  attentionFlops: number;
}

/** Bytes of a block by its weights. */
const bytesPerWeight: Record<WeightType, number> = {
  ...{ f32: 4, f16: 2, bf16: 2 },
  ...{
    q8_0: 34 / 32,
    q5_1: 24 / 32,
    q5_0: 22 / 32,
    q4_1: 20 / 32,
    q4_0: 18 / 32,
    iq4_nl: 18 / 32,
    mxfp4: 17 / 32,
  },
  ...{
    q6_K: 210 / 256,
    q5_K: 176 / 256,
    q4_K: 144 / 256,
    iq4_xs: 136 / 256,
    q3_K: 110 / 256,
    q2_K: 84 / 256,
  },
};
const cacheBytesPerNumber = 2; // llama.cpp keeps keys and values in f16 unless told otherwise

/**
 * The least work of one step with `rows` rows: every weight matrix is read once and multiplied with every row; every KV cell
 * in use (`cells`) is read once, however many rows share it, and each row attends to its own `visible` cells.
 */
export function stepCost(
  shape: ModelShape,
  type: WeightType,
  { rows, cells, visible }: { rows: number; cells: number; visible: number },
): StepCost {
  const { layers, heads, kvHeads, headSize, tied } = shape;
  const multiplied = tensorsOf(shape, type).filter(
    ({ name, rows: height }) => height > 0 && (tied || name !== "token_embd.weight"),
  );
  const weights = multiplied.reduce((sum, { columns, rows: height }) => sum + columns * height, 0);
  return {
    weightBytes: weights * bytesPerWeight[type],
    cacheBytes: cells * layers * 2 * kvHeads * headSize * cacheBytesPerNumber,
    matmulFlops: 2 * weights * rows,
    attentionFlops: 4 * rows * visible * layers * heads * headSize,
  };
}

/** Tokens that went through a model. */
export interface TokensComputed {
  /** Of prompts: no logits are computed for them. */
  prompt: number;
  drawn: number;
  /** Cells that a token of a prompt sees, on average, and a drawn one. */
  promptVisible: number;
  drawnVisible: number;
}

/** Floating-point operations of the products and the attention of these tokens. */
export function judgingFlops(
  shape: ModelShape,
  { prompt, drawn, promptVisible, drawnVisible }: TokensComputed,
): number {
  const flops = (rows: number, visible: number) => {
    const { matmulFlops, attentionFlops } = stepCost(shape, "f32", { rows, cells: 0, visible });
    return matmulFlops + attentionFlops;
  };
  const logits = 2 * prompt * shape.embedding * shape.vocabulary.size;
  return flops(drawn, drawnVisible) + flops(prompt, promptVisible) - logits;
}

/** What a machine does at best. */
export interface MachineLimits {
  bytesPerSecond: number;
  flopsPerSecond: number;
}

/** The shortest time of a step on this machine: reading or computing, whichever takes longer (the roofline model). */
export function leastSeconds(cost: StepCost, { bytesPerSecond, flopsPerSecond }: MachineLimits): number {
  const reading = (cost.weightBytes + cost.cacheBytes) / bytesPerSecond;
  const computing = (cost.matmulFlops + cost.attentionFlops) / flopsPerSecond;
  return Math.max(reading, computing);
}
