import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type Example, toBatch } from "./dataset.js";
import type { NativeTrainer, NativeTraining } from "./native.js";

/** A sampled judgement and whether it chose the best response (1 or 0). */
export interface LabelledJudgement {
  prompt: ArrayLike<number>;
  /** The tokens that were generated, up to the one that closed the box. */
  completion: ArrayLike<number>;
  label: number;
}

export interface MetaHeadOptions {
  batchItems?: number;
  iterations?: number;
  learningRate?: number;
  weightDecay?: number;
  onProgress?: (done: number, total: number) => void;
}

export interface MetaHead {
  weight: Float32Array;
  bias: number;
  /** Mean binary cross-entropy on the judgements it was fitted on. */
  loss: number;
}

/**
 * Fits the fused meta RM of a frozen judge: a linear head on the final-norm state of a judgement's last token, by binary
 * cross-entropy against whether the judgement was right (section 3.3 of the paper; there the meta RM is a model of its own).
 */
export async function fitMetaHead(
  addon: NativeTraining,
  trainer: NativeTrainer,
  judgements: readonly LabelledJudgement[],
  options: MetaHeadOptions = {},
): Promise<MetaHead> {
  const { batchItems = 64, onProgress, ...fit } = options;
  const width = trainer.info.embedding;
  const states = new Float32Array(judgements.length * width);
  for (let begin = 0; begin < judgements.length; begin += batchItems) {
    const part = judgements.slice(begin, begin + batchItems);
    states.set(await lastStates(trainer, part), begin * width);
    onProgress?.(Math.min(begin + batchItems, judgements.length), judgements.length);
  }
  const labels = Float32Array.from(judgements, ({ label }) => label);
  return addon.fitScoreHead(states, labels, width, fit);
}

/** The head's value for each judgement; above 0 means that it is taken for right. */
export async function metaValues(
  trainer: NativeTrainer,
  { weight, bias }: Pick<MetaHead, "weight" | "bias">,
  judgements: readonly Example[],
  batchItems = 64,
): Promise<number[]> {
  const width = weight.length;
  const values: number[] = [];
  for (let begin = 0; begin < judgements.length; begin += batchItems) {
    const states = await lastStates(trainer, judgements.slice(begin, begin + batchItems));
    for (let row = 0; row < states.length; row += width) {
      values.push(weight.reduce((sum, factor, index) => sum + factor * states[row + index]!, bias));
    }
  }
  return values;
}

function lastStates(trainer: NativeTrainer, examples: readonly Example[]): Promise<Float32Array> {
  const batch = toBatch(examples);
  return trainer.hiddenStates(
    batch,
    batch.lengths.map((length) => length - 1),
  );
}

/** SHA-256 of a file, hex: ties a head to the model whose states it reads. */
export async function fileHash(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest("hex");
}
