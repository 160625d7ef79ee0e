import type { SampleRecord } from "../../records.js";
import type { LoadOptions } from "../../settings.js";
import type { Item } from "../benchmark.js";
import { HeadJudge, type HeadOptions, type Loaded, loadHead } from "./head.js";

/** A Bradley-Terry scalar: reads each response alone, its score is its reward. Nothing is drawn, so there is one sample. */
export class ScalarJudge extends HeadJudge {
  static async load(load: LoadOptions, { reference, concurrency }: HeadOptions): Promise<ScalarJudge> {
    const loaded = await loadHead("scalar", load, { reference });
    return new ScalarJudge(loaded, { reference, concurrency });
  }

  constructor(loaded: Loaded, { reference, concurrency }: Pick<HeadOptions, "reference" | "concurrency">) {
    super(loaded, 1, reference, concurrency);
  }

  async judge(item: Item, signal?: AbortSignal): Promise<SampleRecord[]> {
    return [{ scores: await this.model.scores(this.queryOf(item), signal), meta: null }];
  }
}
