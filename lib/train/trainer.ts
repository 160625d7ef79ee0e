import { SpctError } from "../errors.js";
import { loadAddon } from "../native.js";
import type { AdvantageScale, NativeTrainer, NativeTrainerOptions, NewModelOptions } from "./native.js";

/** A model whose weights are trained, in F32: all of them, or adapters beside them. Answers one call at a time; a second call
 * before the first has answered throws BUSY. */
export type Trainer = NativeTrainer;

/** Opens the weights of a GGUF (architecture llama), or of a checkpoint with its optimizer. Rejects with
 * MODEL_NOT_FOUND, NOT_A_GGUF, UNSUPPORTED_MODEL, OUT_OF_MEMORY, NO_GPU or INVALID_ARGUMENT. */
export async function openTrainer(options: NativeTrainerOptions & { path: string }): Promise<Trainer> {
  return withCode(() => loadAddon().Trainer.open(options));
}

/** Makes a small llama with random weights and the vocabulary of a GGUF. The same seed gives the same weights. Rejects with
 * MODEL_NOT_FOUND, NOT_A_GGUF, UNSUPPORTED_MODEL, OUT_OF_MEMORY, NO_GPU or INVALID_ARGUMENT. */
export async function createTrainer(options: NativeTrainerOptions & NewModelOptions): Promise<Trainer> {
  return withCode(() => loadAddon().Trainer.create(options));
}

/**
 * Group-relative advantages (GRPO) of rewards that lie group after group: each less its group's mean, divided by the deviation of
 * the group (the sample's, plus 1e-4), of the whole batch, or by nothing. Equal rewards in a group give 0. Throws INVALID_ARGUMENT
 * for a reward that is not finite, or rewards that do not fill their groups.
 */
export function groupAdvantages(
  rewards: ArrayLike<number>,
  groupSize: number,
  scale: AdvantageScale = "group",
): Float64Array {
  try {
    return loadAddon().groupAdvantages(Float64Array.from(rewards), groupSize, scale);
  } catch (error) {
    throw SpctError.from(error, "TRAINER_FAILURE");
  }
}

async function withCode(open: () => Promise<Trainer>): Promise<Trainer> {
  try {
    return await open();
  } catch (error) {
    throw SpctError.from(error, "TRAINER_FAILURE");
  }
}
