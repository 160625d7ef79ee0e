import { createReadStream, statSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { extname, join } from "node:path";
import { pipeline, type Readable } from "node:stream";
import { createGunzip, gunzipSync } from "node:zlib";
import { SpctError } from "../errors.js";

/** One row of a data set. `number` counts the rows of its file from 1. */
export interface Row {
  value: Record<string, unknown>;
  file: string;
  number: number;
}

/** A row that could not be read, and why. */
export interface UnreadableRow {
  reason: string;
  file: string;
  number: number;
}

type Reader = (file: string) => AsyncGenerator<Row | UnreadableRow>;

const readers: Record<string, Reader> = {
  ".jsonl": readJsonLines,
  ".json": readJson,
  ".parquet": readParquet,
};

/** Reads the rows of a file, or of all files of a folder in the order of their names: .json (a list, or lists under names),
 * .jsonl, either with .gz, and .parquet. A row that cannot be read is yielded as such; what follows it in the same file is
 * read on where the format allows it. Throws FILE_NOT_FOUND and INVALID_ARGUMENT. */
export async function* readRows(path: string): AsyncGenerator<Row | UnreadableRow> {
  for (const file of await listFiles(path)) yield* readerOf(file)!(file);
}

function readerOf(file: string): Reader | undefined {
  return readers[extname(file.replace(/\.gz$/, "")).toLowerCase()];
}

async function listFiles(path: string): Promise<string[]> {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) throw new SpctError("FILE_NOT_FOUND", `No such file: ${path}`);
  const formats = `${Object.keys(readers).join(", ")}, or those with .gz`;
  if (!found.isDirectory()) {
    if (readerOf(path) !== undefined) return [path];
    throw new SpctError("INVALID_ARGUMENT", `Expected a file in ${formats} for data but received ${path}`);
  }
  const names = await readdir(path, { recursive: true });
  const files = names.filter((name) => readerOf(name) !== undefined).sort();
  if (files.length === 0)
    throw new SpctError("FILE_NOT_FOUND", `The folder ${path} has no file in ${formats}`);
  return files.map((name) => join(path, name));
}

/** Lines of JSON; empty ones are passed over. */
export async function* readJsonLines(file: string): AsyncGenerator<Row | UnreadableRow> {
  const source = createReadStream(file);
  // The iteration below receives the error of either stream; pipeline only has to pass it on.
  const input: Readable = file.endsWith(".gz") ? pipeline(source, createGunzip(), () => undefined) : source;
  input.setEncoding("utf8");
  let number = 0;
  let rest = "";
  const parse = (line: string) => parseLine(line, file, ++number);
  try {
    for await (const chunk of input) {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop()!;
      for (const line of lines) {
        if (line.trim() === "") number++;
        else yield parse(line);
      }
    }
  } catch (error) {
    yield { file, number: number + 1, reason: `the file cannot be read on: ${(error as Error).message}` };
    return;
  }
  if (rest.trim() !== "") yield parse(rest);
}

function parseLine(line: string, file: string, number: number): Row | UnreadableRow {
  try {
    return toRow(JSON.parse(line), file, number);
  } catch (error) {
    return { file, number, reason: `not a JSON line: ${(error as Error).message}` };
  }
}

async function* readJson(file: string): AsyncGenerator<Row | UnreadableRow> {
  let value: unknown;
  try {
    const bytes = await readFile(file);
    value = JSON.parse((file.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString("utf8"));
  } catch (error) {
    yield { file, number: 1, reason: `the file cannot be read: ${(error as Error).message}` };
    return;
  }
  const lists = Array.isArray(value) ? [value] : isObject(value) ? Object.values(value) : [];
  if (lists.length === 0 || !lists.every(Array.isArray)) {
    yield { file, number: 1, reason: "expected a list of rows, or lists of rows under names" };
    return;
  }
  for (const [index, one] of lists.flat().entries()) yield toRow(one, file, index + 1);
}

async function* readParquet(file: string): AsyncGenerator<Row | UnreadableRow> {
  let number = 0;
  try {
    const { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } = await import("hyparquet");
    const { compressors } = await import("hyparquet-compressors");
    const buffer = await asyncBufferFromFile(file);
    const metadata = await parquetMetadataAsync(buffer);
    for (const group of metadata.row_groups) {
      const rowEnd = number + Number(group.num_rows);
      const rows = await parquetReadObjects({
        file: buffer,
        metadata,
        compressors,
        rowStart: number,
        rowEnd,
      });
      for (const row of rows) yield { value: withNumbers(row), file, number: ++number };
    }
  } catch (error) {
    yield { file, number: number + 1, reason: `the file cannot be read on: ${(error as Error).message}` };
  }
}

/** Parquet's 64-bit integers arrive as bigint; those that a number holds exactly become numbers. */
function withNumbers(row: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, toNumbers(value)]));
}

function toNumbers(value: unknown): unknown {
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (Array.isArray(value)) return value.map(toNumbers);
  return isObject(value) && Object.getPrototypeOf(value) === Object.prototype ? withNumbers(value) : value;
}

function toRow(value: unknown, file: string, number: number): Row | UnreadableRow {
  return isObject(value) ? { value, file, number } : { file, number, reason: "expected an object" };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
