import { join } from "node:path";
import { SpctError } from "../errors.js";
import { RunFolder } from "../eval/run_folder.js";
import type { Grm } from "../judge.js";
import { type JudgementRecord, readJudgements, type SampleRecord, toRecord } from "../records.js";
import type { JudgeOptions } from "../settings.js";
import { answerOf, queryOf, type RlItem, ruleReward } from "./rl_items.js";

/** A judgement of an item, and whether it was right by the rule of Eq. 11 (1 or 0). */
export interface ItemJudgement {
  item: RlItem;
  /** `order[p]` is the index of the response shown at position p. */
  order: readonly number[];
  text: string;
  /** As generated; unknown of a judgement that was recorded as text alone. */
  tokenIds?: readonly number[];
  label: 0 | 1;
}

export interface ReadJudgements {
  judgements: ItemJudgement[];
  /** Samples without scores, which no vote would see. */
  unscored: number;
  /** Lines of other items. */
  unknown: number;
}

interface TokenSample extends SampleRecord {
  tokenIds?: number[];
}

/**
 * Samples judgements of the items into a run folder and returns the path of its judgements.jsonl. Items that an earlier run of
 * the same identity left there are not judged again. Rejects with RUN_MISMATCH, CANCELLED, or what failed in the engine.
 */
export async function sampleJudgements(
  grm: Grm,
  items: readonly RlItem[],
  folder: string,
  identity: Record<string, unknown>,
  options: JudgeOptions & { onProgress?: (done: number, total: number) => void },
): Promise<string> {
  const { onProgress, ...judging } = options;
  const about = { benchmark: "training items", data: "", judge: grm.info.model };
  const place = await RunFolder.open(folder, { identity, about });
  try {
    const open = items.filter(({ id }) => !place.takeDone(id));
    let done = items.length - open.length;
    for (const answer of ["scores", "winner", "correctness"] as const) {
      const chosen = open.filter((item) => answerOf(item) === answer);
      let at = 0;
      for await (const verdict of grm.judgeMany(chosen.map(queryOf), {
        ...judging,
        answer,
        logprobs: true,
      })) {
        const { id, responses } = chosen[at++]!;
        const record = toRecord(verdict, { id, n: responses.length });
        for (const [index, sample] of (record.samples as TokenSample[]).entries()) {
          sample.tokenIds = [...verdict.samples[index]!.tokenIds!];
        }
        place.append(record);
        onProgress?.(++done, items.length);
      }
    }
  } finally {
    place.close();
  }
  return join(folder, "judgements.jsonl");
}

/** Reads recorded judgements (docs/formats.md) of the items, whose labels say what is right. Throws FILE_NOT_FOUND or
 * BAD_RECORD. */
export async function readItemJudgements(path: string, items: readonly RlItem[]): Promise<ReadJudgements> {
  const known = new Map(items.map((item) => [item.id, item]));
  const read: ReadJudgements = { judgements: [], unscored: 0, unknown: 0 };
  for await (const record of readJudgements(path)) {
    const item = known.get(record.id);
    if (item === undefined) {
      read.unknown++;
      continue;
    }
    checkRecord(record, item, path);
    for (const { scores, order, text, tokenIds } of record.samples as TokenSample[]) {
      if (scores === null || scores.includes(null)) {
        read.unscored++;
        continue;
      }
      const label = ruleReward(scores as number[], item.label) === 1 ? 1 : 0;
      const shown = order ?? [...item.responses.keys()];
      read.judgements.push({ item, order: shown, text: text!, tokenIds, label });
    }
  }
  return read;
}

function checkRecord({ id, n, samples }: JudgementRecord, { responses }: RlItem, path: string): void {
  const problem = (what: string) =>
    new SpctError("BAD_RECORD", `${path}: ${what} in the judgements of item ${id}`);
  if (n !== responses.length) throw problem(`Expected ${responses.length} responses but received ${n}`);
  for (const { scores, text, order } of samples) {
    if (scores !== null && typeof text !== "string") throw problem("Expected a text");
    const sorted = [...(order ?? responses.keys())].sort((left, right) => left - right);
    if (sorted.length !== n || !sorted.every((value, place) => value === place)) {
      throw problem("Expected an order of all responses");
    }
  }
}
