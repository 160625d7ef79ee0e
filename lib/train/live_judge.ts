import { rm } from "node:fs/promises";
import { Grm } from "../judge.js";
import type { LoadOptions } from "../settings.js";
import type { NativeTrainer } from "./native.js";

/** A judge that follows a trainer: `refresh` gives it the trainer's present weights, by way of a file. */
export class LiveJudge {
  readonly #path: string;
  readonly #type: "f32" | "f16" | "q8_0";
  readonly #options: Omit<LoadOptions, "model" | "meta">;
  #grm: Grm | undefined;

  /** The file at `path` is written by every `refresh` and removed by `close`. */
  constructor(path: string, type: "f32" | "f16" | "q8_0", options: Omit<LoadOptions, "model" | "meta">) {
    this.#path = path;
    this.#type = type;
    this.#options = options;
  }

  /** Nothing may be judged while this runs; the former judge is closed. */
  async refresh(trainer: NativeTrainer): Promise<Grm> {
    await trainer.save(this.#path, this.#type);
    await this.#grm?.close();
    this.#grm = undefined;
    this.#grm = await Grm.load({ ...this.#options, model: this.#path, meta: null });
    return this.#grm;
  }

  async close(): Promise<void> {
    await this.#grm?.close();
    this.#grm = undefined;
    await rm(this.#path, { force: true });
  }
}
