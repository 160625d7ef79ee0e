import type { SampleRecord } from "../../records.js";
import type { LoadOptions } from "../../settings.js";
import type { Item } from "../benchmark.js";
import { itemOrders, seedOf } from "./grm.js";
import { HeadJudge, type HeadOptions, type Loaded, loadHead } from "./head.js";

/**
 * A pairwise scalar (PairRM): the sign of its head's value on a pair prefers one of the two. A response's score is how many
 * others it is preferred to (half for a value of exactly 0), so that the vote counts majorities. Nothing is drawn: the second
 * sample shows every pair in the other order, and there are no more.
 */
export class PairwiseScalarJudge extends HeadJudge {
  static async load(load: LoadOptions, options: HeadOptions): Promise<PairwiseScalarJudge> {
    const { k, seed, reference } = options;
    const loaded = await loadHead("pairwise-scalar", load, { k: Math.min(k, 2), seed, reference });
    return new PairwiseScalarJudge(loaded, options);
  }

  constructor(
    loaded: Loaded,
    private readonly options: Pick<HeadOptions, "k" | "seed" | "reference" | "concurrency">,
  ) {
    super(loaded, Math.min(options.k, 2), options.reference, options.concurrency);
  }

  async judge(item: Item, signal?: AbortSignal): Promise<SampleRecord[]> {
    const count = item.responses.length;
    const [first] = itemOrders(count, 1, seedOf(item.id, this.options.seed));
    const orders = [first!, [...first!].reverse()].slice(0, this.k);
    const shown = orders.map((order) =>
      order.flatMap((a, place) => order.slice(place + 1).map((b): [number, number] => [a, b])),
    );
    const values = await this.model.preferences(this.queryOf(item), shown.flat(), signal);
    return orders.map((order, sample) => {
      const scores = new Array<number>(count).fill(0);
      for (const [index, [a, b]] of shown[sample]!.entries()) {
        const value = values[sample * shown[0]!.length + index]!;
        const share = value > 0 ? 1 : value < 0 ? 0 : 0.5;
        scores[a]! += share;
        scores[b]! += 1 - share;
      }
      return { order, scores, meta: null };
    });
  }
}
