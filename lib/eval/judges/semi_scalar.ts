import type { SampleRecord } from "../../records.js";
import type { LoadOptions } from "../../settings.js";
import type { Item } from "../benchmark.js";
import { seedOf } from "./grm.js";
import { HeadJudge, type HeadOptions, type Loaded, loadHead } from "./head.js";

/**
 * A semi-scalar judge (CLoud): writes k critiques of each response alone, and its head gives each critique a value. A sample
 * holds one critique of every response, so that the vote's sum, divided by k, is the mean over the critiques.
 */
export class SemiScalarJudge extends HeadJudge {
  static async load(load: LoadOptions, options: HeadOptions): Promise<SemiScalarJudge> {
    const { k, seed, reference, temperature, maxTokens } = options;
    const loaded = await loadHead("semi-scalar", load, { k, seed, reference, temperature, maxTokens });
    return new SemiScalarJudge(loaded, options);
  }

  constructor(
    loaded: Loaded,
    private readonly options: HeadOptions,
  ) {
    super(loaded, options.k, options.reference, options.concurrency);
  }

  async judge(item: Item, signal?: AbortSignal): Promise<SampleRecord[]> {
    const { k, seed, temperature, maxTokens } = this.options;
    const own = seedOf(item.id, seed);
    const options = { k, seed: own, temperature, maxTokens, signal };
    const critiques = await this.model.critiques(this.queryOf(item), options);
    return Array.from({ length: k }, (_, sample) => {
      const chosen = critiques.map((ofResponse) => ofResponse[sample]!);
      return {
        scores: chosen.map(({ value }) => value),
        meta: null,
        text: chosen.map(({ text }, index) => `Response ${index + 1}:\n${text}`).join("\n\n"),
        seed: own + sample,
        tokens: chosen.reduce((sum, { tokens }) => sum + tokens, 0),
      };
    });
  }
}
