import { SpctError } from "../errors.js";
import type { Publication } from "../pull/repository.js";
import type { SampleRecord } from "../records.js";
import type { Query } from "../types.js";
import type { Tally } from "../vote/tally.js";
import { BadRow } from "./fields.js";
import { type Row, readRows, type UnreadableRow } from "./rows.js";
import type { Interval } from "./statistics.js";

/** What a judge is asked, and what is right. */
export interface Item extends Query {
  /** Names the item in the judgements. Of items that share an id, the first is the first judged. */
  id: string;
  subset?: string;
  /** Index of the correct response, or all indices that are correct (`[]`: none is); null if unknown. */
  label: number | number[] | null;
}

/** An item after the vote. */
export interface JudgedItem {
  id: string;
  subset: string;
  n: number;
  /** Indices of the correct responses; null if unknown. */
  correct: readonly number[] | null;
  tally: Tally;
  /** In [0, 1] under the policies for ties and for items without a vote; null if there is nothing to decide, or the item is
   * left out. */
  credit: number | null;
  /** In the order they were drawn. */
  samples: readonly SampleRecord[];
}

/** A figure of a benchmark. */
export interface Score {
  name: string;
  /** In the unit of the benchmark's own tables, but for per cent: shares are in [0, 1]. Null if nothing was judged. */
  value: number | null;
  interval: Interval | null;
  /** Items that the value is computed from. */
  items: number;
}

/** Gathers judged items; holds numbers only, so that its memory does not grow with their texts. */
export interface Aggregator {
  add(item: JudgedItem): void;
  /** The first is the headline. */
  scores(): Score[];
}

export interface Benchmark {
  /** As on the command line. */
  readonly name: string;
  readonly title: string;
  /** Where its authors publish it. */
  readonly source: string;
  /** What of it `spct pull` downloads; nothing where it must be fetched by hand. */
  readonly published: readonly Publication[];
  /** One sentence on what the headline is. */
  readonly metric: string;
  /** Makes the items of a row; throws BadRow. */
  items(row: Row): Item[];
  aggregator(): Aggregator;
}

export interface BadRowNote {
  file: string;
  number: number;
  reason: string;
}

/** Reads a data set as items. A row that is no item raises BAD_ROW with its file, number and reason; with `onBad` it is
 * reported there and left out. Throws FILE_NOT_FOUND, saying where the data set is published. */
export async function* loadItems(
  benchmark: Benchmark,
  path: string,
  onBad?: (note: BadRowNote) => void,
): AsyncGenerator<Item> {
  try {
    for await (const row of readRows(path)) {
      const items = readItems(benchmark, row);
      if (Array.isArray(items)) {
        yield* items;
      } else if (onBad === undefined) {
        throw new SpctError("BAD_ROW", `${items.file}:${items.number}: ${items.reason}`);
      } else {
        onBad(items);
      }
    }
  } catch (error) {
    if (!(error instanceof SpctError) || error.code !== "FILE_NOT_FOUND" || benchmark.source === "")
      throw error;
    const { name, title, source, published } = benchmark;
    const [data] = name.split("+"); // a control has the data of its benchmark
    const how = published.length === 0 ? "" : `; \`spct pull dataset:${data}\` downloads it after asking`;
    throw new SpctError(
      "FILE_NOT_FOUND",
      `${error.message}. Its authors publish ${title} at ${source}${how}`,
      {
        cause: error,
      },
    );
  }
}

function readItems(benchmark: Benchmark, row: Row | UnreadableRow): Item[] | BadRowNote {
  if ("reason" in row) return row;
  try {
    return benchmark.items(row);
  } catch (error) {
    if (!(error instanceof BadRow)) throw error;
    return { file: row.file, number: row.number, reason: error.message };
  }
}
