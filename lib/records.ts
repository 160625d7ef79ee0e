import { createReadStream } from "node:fs";
import { pipeline, type Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { SpctError } from "./errors.js";
import type { Verdict } from "./types.js";

/** One sample of a recorded item. Scores are in the original order of the responses. */
export interface SampleRecord {
  order?: number[];
  /** Null for a failed sample; a null entry where one response has no score. */
  scores: (number | null)[] | null;
  reason?: string;
  meta: number | null;
  text?: string;
  seed?: number;
  /** Generated tokens. */
  tokens?: number;
  /** Of a pairwise judge of more than two responses: each pair of them, and what the two got in it. */
  pairs?: { pair: [number, number]; scores: number[] }[];
}

/** One line of judgements.jsonl: a judged item. */
export interface JudgementRecord {
  id: string;
  subset?: string;
  /** How many responses. */
  n: number;
  /** Index of the correct response, or all indices that are correct (`[]`: none is); null if unknown. */
  label: number | number[] | null;
  /** How many samples were asked for, if the vote was decided before all of them were drawn. */
  k?: number;
  samples: SampleRecord[];
  /** Names the run that the line comes from. */
  run?: string;
}

type RecordedItem = Pick<JudgementRecord, "id" | "n" | "subset" | "run"> & {
  label?: JudgementRecord["label"];
};

export function toRecord(verdict: Verdict, item: RecordedItem): JudgementRecord {
  const samples = verdict.samples.map(({ order, scores, reason, meta, text, seed, tokens }) => ({
    order,
    scores,
    ...(reason === undefined ? {} : { reason }),
    meta,
    text,
    seed,
    tokens,
  }));
  return recordOf(item, samples, verdict.k);
}

/** The record of an item of which k samples were asked for. */
export function recordOf(
  { id, subset, n, label = null, run }: RecordedItem,
  samples: SampleRecord[],
  k: number,
): JudgementRecord {
  return {
    id,
    ...(subset === undefined ? {} : { subset }),
    n,
    label,
    ...(samples.length < k ? { k } : {}),
    samples,
    ...(run === undefined ? {} : { run }),
  };
}

/** Reads a .jsonl or .jsonl.gz file line by line; empty lines are passed over. A line that is no judgement raises BAD_RECORD
 * with the line's number. */
export async function* readJudgements(path: string): AsyncGenerator<JudgementRecord> {
  let number = 0;
  for await (const line of readLines(path)) {
    number++;
    if (line.trim() !== "") yield parseJudgement(line, `${path}:${number}`);
  }
}

export function parseJudgement(line: string, place: string): JudgementRecord {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    throw new SpctError("BAD_RECORD", `${place}: not a JSON line: ${(error as Error).message}`, {
      cause: error,
    });
  }
  return checkJudgement(value, place);
}

/** Throws BAD_RECORD for a value that is no judgement. */
export function checkJudgement(value: unknown, place: string): JudgementRecord {
  const problem = findProblem(value);
  if (problem !== null) throw new SpctError("BAD_RECORD", `${place}: ${problem}`);
  const record = value as JudgementRecord;
  for (const sample of record.samples) sample.meta ??= null;
  return record;
}

/** Says what keeps a value from being a JudgementRecord. */
function findProblem(value: unknown): string | null {
  if (!isObject(value)) return "expected an object";
  if (typeof value.id !== "string") return "expected a string for id";
  if (value.subset !== undefined && typeof value.subset !== "string") return "expected a string for subset";
  const n = value.n;
  if (!isIndex(n, Number.MAX_SAFE_INTEGER) || n === 0) return "expected an integer of at least 1 for n";
  const label = value.label ?? null;
  const labels = Array.isArray(label) ? label : label === null ? [] : [label];
  if (!labels.every((index) => isIndex(index, n))) return `expected indices below ${n}, or null, for label`;
  if (!Array.isArray(value.samples)) return "expected an array for samples";
  const least = value.samples.length;
  if (value.k !== undefined && !(isIndex(value.k, Number.MAX_SAFE_INTEGER) && value.k >= least))
    return `expected at least the number of samples (${least}) for k`;
  for (const [index, sample] of value.samples.entries()) {
    if (!isObject(sample)) return `expected an object for samples[${index}]`;
    const { scores, meta } = sample;
    if (scores !== null && !(Array.isArray(scores) && scores.length === n && scores.every(isNumberOrNull))) {
      return `expected null or ${n} numbers for samples[${index}].scores`;
    }
    if (meta !== undefined && !isNumberOrNull(meta))
      return `expected a number or null for samples[${index}].meta`;
    if (sample.tokens !== undefined && !isIndex(sample.tokens, Number.MAX_SAFE_INTEGER))
      return `expected a count for samples[${index}].tokens`;
    const pairs = sample.pairs ?? [];
    if (!Array.isArray(pairs) || !pairs.every((one) => isJudgedPair(one, n)))
      return `expected pairs of indices below ${n} with their scores for samples[${index}].pairs`;
  }
  return null;
}

async function* readLines(path: string): AsyncGenerator<string> {
  const file = createReadStream(path);
  // The iteration below receives the error of either stream; pipeline only has to pass it on.
  const input: Readable = path.endsWith(".gz") ? pipeline(file, createGunzip(), () => undefined) : file;
  input.setEncoding("utf8");
  let rest = "";
  let whole = 0;
  try {
    for await (const chunk of input) {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop()!;
      yield* lines;
      whole += lines.length;
    }
  } catch (error) {
    throw error instanceof Error ? readFailure(path, whole + 1, error) : error;
  }
  if (rest !== "") yield rest;
}

function readFailure(path: string, line: number, error: Error): SpctError {
  if ("code" in error && error.code === "ENOENT") {
    return new SpctError("FILE_NOT_FOUND", `No such file: ${path}`, { cause: error });
  }
  return new SpctError("BAD_RECORD", `${path}:${line}: the file cannot be read on: ${error.message}`, {
    cause: error,
  });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isIndex(value: unknown, below: number): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value < below;
}

function isJudgedPair(value: unknown, n: number): boolean {
  if (!isObject(value)) return false;
  const { pair, scores } = value;
  const two = (list: unknown): list is unknown[] => Array.isArray(list) && list.length === 2;
  return (
    two(pair) && pair.every((index) => isIndex(index, n)) && two(scores) && scores.every(Number.isFinite)
  );
}

function isNumberOrNull(value: unknown): boolean {
  return value === null || (typeof value === "number" && Number.isFinite(value));
}
