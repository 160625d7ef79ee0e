import { createReadStream, existsSync } from "node:fs";
import { appendFile, truncate } from "node:fs/promises";
import { SpctError } from "../errors.js";
import type { ItemSamples } from "./rft_samples.js";

/** What judgements were sampled with. Two runs of the same identity sample the same. */
export type RftIdentity = Readonly<Record<string, unknown>>;

/**
 * The judgements of a run as JSONL: `{"run": identity}`, then one line for each item, appended as it was sampled. A later run of
 * the same identity goes on after the last whole line.
 */
export class RftFile {
  readonly items: ItemSamples[];
  readonly #path: string;

  /** Opens or begins a file; a line that was cut short is dropped. Throws RUN_MISMATCH when another run wrote it, BAD_RECORD for
   * a line that none wrote. */
  static async open(path: string, identity: RftIdentity): Promise<RftFile> {
    const lines = existsSync(path) ? await readWholeLines(path) : [];
    if (lines.length === 0) await append(path, { run: identity });
    else refuseOther(path, parse(path, lines[0]!, 1), identity);
    const items = lines.slice(1).map((line, index) => toItem(path, parse(path, line, index + 2), index + 2));
    return new RftFile(path, items);
  }

  /** The items of a finished run, whatever its identity. Throws as `open` does. */
  static async read(path: string): Promise<ItemSamples[]> {
    const [, ...lines] = await readWholeLines(path);
    return lines.map((line, index) => toItem(path, parse(path, line, index + 2), index + 2));
  }

  private constructor(path: string, items: ItemSamples[]) {
    this.#path = path;
    this.items = items;
  }

  async append(item: ItemSamples): Promise<void> {
    await append(this.#path, item);
    this.items.push(item);
  }
}

function append(path: string, value: unknown): Promise<void> {
  return appendFile(path, `${JSON.stringify(value)}\n`);
}

/** Cuts the file after its last line feed. */
async function readWholeLines(path: string): Promise<string[]> {
  const lines: string[] = [];
  let rest = "";
  for await (const chunk of createReadStream(path, { encoding: "utf8" })) {
    const parts = (rest + chunk).split("\n");
    rest = parts.pop()!;
    for (const part of parts) lines.push(part);
  }
  if (rest !== "") await truncate(path, bytesOf(lines));
  return lines;
}

function bytesOf(lines: readonly string[]): number {
  return lines.reduce((sum, line) => sum + Buffer.byteLength(line) + 1, 0);
}

function parse(path: string, line: string, number: number): Record<string, unknown> {
  try {
    return JSON.parse(line);
  } catch (error) {
    throw new SpctError("BAD_RECORD", `${path}:${number}: ${(error as Error).message}`, { cause: error });
  }
}

function toItem(path: string, value: Record<string, unknown>, number: number): ItemSamples {
  if (typeof value?.id === "string" && Array.isArray(value.samples)) return value as unknown as ItemSamples;
  throw new SpctError("BAD_RECORD", `${path}:${number}: expected an item's id and samples`);
}

function refuseOther(path: string, { run }: Record<string, unknown>, wanted: RftIdentity): void {
  const known = (run ?? {}) as Record<string, unknown>;
  const names = new Set([...Object.keys(known), ...Object.keys(wanted)]);
  const differing = [...names].filter((name) => JSON.stringify(known[name]) !== JSON.stringify(wanted[name]));
  if (differing.length === 0) return;
  throw new SpctError(
    "RUN_MISMATCH",
    `${path} is of another run (${differing.join(", ")}). Choose another output, or the same settings to resume it`,
  );
}
