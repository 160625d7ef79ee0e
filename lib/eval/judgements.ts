import { existsSync } from "node:fs";
import { SpctError } from "../errors.js";
import { checkJudgement, type JudgementRecord } from "../records.js";
import type { BadRowNote } from "./benchmark.js";
import { readJsonLines } from "./rows.js";

/** A judgement and where it stands. */
export interface PlacedJudgement {
  record: JudgementRecord;
  file: string;
  number: number;
}

/** Reads judgements line by line (.jsonl or .jsonl.gz). A line that is none raises BAD_RECORD with its number; with `onBad` it
 * is reported there and left out. Throws FILE_NOT_FOUND. */
export async function* loadJudgements(
  file: string,
  onBad?: (note: BadRowNote) => void,
): AsyncGenerator<PlacedJudgement> {
  if (!existsSync(file)) throw new SpctError("FILE_NOT_FOUND", `No such file: ${file}`);
  for await (const row of readJsonLines(file)) {
    const { number } = row;
    try {
      if ("reason" in row) throw new SpctError("BAD_RECORD", `${file}:${number}: ${row.reason}`);
      yield { record: checkJudgement(row.value, `${file}:${number}`), file, number };
    } catch (error) {
      if (onBad === undefined || !(error instanceof SpctError)) throw error;
      onBad({ file, number, reason: error.message.slice(`${file}:${number}: `.length) });
    }
  }
}
