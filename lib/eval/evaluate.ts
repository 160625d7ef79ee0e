import { SpctError } from "../errors.js";
import type { SummaryOptions } from "../vote/summary.js";
import { type BadRowNote, type Benchmark, type JudgedItem, loadItems } from "./benchmark.js";
import { Evaluation, type Metrics } from "./evaluation.js";
import { alone, type JoinedJudgement, joinJudgements } from "./join.js";
import { loadJudgements } from "./judgements.js";
import { type Part, takePart } from "./part.js";

export interface EvaluateOptions extends SummaryOptions, Part {
  /** Leaves out rows that are no items and lines that are no judgements, and counts them. Default false: the first one is an
   * error. */
  skipBad?: boolean;
  /** Called after each judgement. */
  onItem?: (judged: JudgedItem, joined: JoinedJudgement, soFar: Evaluation) => void;
}

const shownBad = 20;

/** Collects rows that are left out; remembers the first of them. */
export class BadRows {
  readonly notes: Metrics["bad"] = { count: 0, first: [] };

  readonly add = (note: BadRowNote): void => {
    this.notes.count++;
    if (this.notes.first.length < shownBad) this.notes.first.push(note);
  };
}

/** Measures recorded judgements (.jsonl or .jsonl.gz) against a data set, or with null by the labels that they carry
 * themselves: then nothing is known about the responses. Throws FILE_NOT_FOUND, BAD_ROW, BAD_RECORD. */
export async function evaluate(
  benchmark: Benchmark,
  data: string | null,
  path: string,
  options: EvaluateOptions = {},
): Promise<Metrics> {
  const { skipBad = false, onItem, limit, shard, ...summary } = options;
  const bad = new BadRows();
  const onBad = skipBad ? bad.add : undefined;
  const evaluation = new Evaluation(benchmark, summary);
  const counts = { missing: 0, unknown: 0 };
  const records = loadJudgements(path, onBad);
  const items = data === null ? undefined : takePart(loadItems(benchmark, data, onBad), { limit, shard });
  const judgements = items === undefined ? alone(records) : joinJudgements(items, records, counts, onBad);
  try {
    for await (const joined of judgements) {
      refuseKMeta(joined, summary.kMeta);
      const judged = evaluation.add(joined);
      onItem?.(judged, joined, evaluation);
    }
  } finally {
    await items?.return(undefined);
  }
  return evaluation.metrics(counts, bad.notes);
}

function refuseKMeta({ record }: JoinedJudgement, kMeta: number | undefined): void {
  if (kMeta === undefined || record.samples.some(({ meta }) => meta !== null)) return;
  throw new SpctError(
    "INVALID_ARGUMENT",
    `Expected meta scores in every item for kMeta, and item ${record.id} has none`,
  );
}
