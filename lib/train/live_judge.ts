import { rm } from "node:fs/promises";
import { Grm } from "../judge.js";
import type { LoadOptions } from "../settings.js";
import type { NativeTrainer } from "./native.js";

/**
 * A judge that follows a trainer: `refresh` gives it the trainer's present weights. The first ones come by way of a file, which
 * brings the vocabulary as well; later ones are copied in place, except into a judge in a process of its own.
 */
export class LiveJudge {
  readonly #path: string;
  readonly #type: "f32" | "f16" | "q8_0";
  readonly #options: Omit<LoadOptions, "model" | "meta">;
  #grm: Grm | undefined;

  /** The file at `path` is removed by `close`. */
  constructor(path: string, type: "f32" | "f16" | "q8_0", options: Omit<LoadOptions, "model" | "meta">) {
    this.#path = path;
    this.#type = type;
    this.#options = options;
  }

  /** What is being judged ends with the former weights, unless the judge has a process of its own: that one is closed. */
  async refresh(trainer: NativeTrainer): Promise<Grm> {
    const inPlace = this.#options.isolation !== "process";
    if (inPlace && this.#grm !== undefined) {
      await this.#grm.loadWeights(trainer);
      return this.#grm;
    }
    await trainer.save(this.#path, this.#type);
    await this.#grm?.close();
    this.#grm = undefined;
    this.#grm = await Grm.load({ ...this.#options, model: this.#path, meta: null, updatable: inPlace });
    return this.#grm;
  }

  async close(): Promise<void> {
    await this.#grm?.close();
    this.#grm = undefined;
    await rm(this.#path, { force: true });
  }
}
