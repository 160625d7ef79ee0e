/** The part of a data set that a run works on. */
export interface Part {
  /** At most so many items, the first ones. */
  limit?: number;
  /** Every `of`-th item, beginning with the `index`-th; both count from 1. */
  shard?: { index: number; of: number };
}

/** The shard first, then its first `limit` items. Ends the source when it has enough. */
export async function* takePart<T>(source: AsyncIterable<T>, { limit, shard }: Part): AsyncGenerator<T> {
  let position = 0;
  let taken = 0;
  if (limit === 0) return;
  for await (const one of source) {
    const own = shard === undefined || position % shard.of === shard.index - 1;
    position++;
    if (!own) continue;
    yield one;
    if (++taken === limit) return;
  }
}
