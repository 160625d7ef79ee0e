import {
  closeSync,
  existsSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readSync,
  rmSync,
  writeSync,
} from "node:fs";
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { SpctError } from "../errors.js";
import { type JudgementRecord, readJudgements } from "../records.js";

/** What a run is of. Two runs with the same identity give the same judgements. */
export interface RunManifest {
  /** Compared when a run is resumed. */
  identity: Record<string, unknown>;
  /** For people and for drawing the report again. */
  about: { benchmark: string; data: string; judge: string; [name: string]: unknown };
}

/** A folder with `manifest.json` and the append-only `judgements.jsonl`. */
export class RunFolder {
  readonly judgements: string;
  readonly #done = new Map<string, number>();
  #file: number | undefined;

  private constructor(readonly path: string) {
    this.judgements = join(path, "judgements.jsonl");
  }

  /** Opens a folder for judging: a new one, or one that an earlier run of the same identity left behind. What that run wrote
   * of its last line is cut off. Throws RUN_MISMATCH, and RUN_LOCKED while another process writes there. */
  static async open(path: string, manifest: RunManifest): Promise<RunFolder> {
    mkdirSync(path, { recursive: true });
    const run = new RunFolder(path);
    const known = await readManifest(path);
    if (known !== undefined) refuseOther(known, manifest, path);
    await lock(path);
    try {
      if (known === undefined)
        await writeWhole(join(path, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`);
      await run.#resume();
    } catch (error) {
      run.close();
      throw error;
    }
    return run;
  }

  async #resume(): Promise<void> {
    this.#file = openSync(this.judgements, "a+");
    cutIncompleteLine(this.#file);
    for await (const { id } of readJudgements(this.judgements)) {
      this.#done.set(id, (this.#done.get(id) ?? 0) + 1);
    }
  }

  /** How many items are judged already. */
  get size(): number {
    return [...this.#done.values()].reduce((sum, count) => sum + count, 0);
  }

  /** Whether the next item of this id is judged already; each judgement stands for one item. */
  takeDone(id: string): boolean {
    const count = this.#done.get(id) ?? 0;
    if (count === 0) return false;
    this.#done.set(id, count - 1);
    return true;
  }

  /** Appends one line. A kill leaves whole lines and at most one that is incomplete. */
  append(record: JudgementRecord): void {
    const line = Buffer.from(`${JSON.stringify(record)}\n`);
    for (let written = 0; written < line.length; ) written += writeSync(this.#file!, line, written);
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
    rmSync(lockOf(this.path), { force: true });
  }
}

function lockOf(path: string): string {
  return join(path, "writing.pid");
}

/** Two writers would judge every item twice. The lock of a process that is gone does not count. */
async function lock(path: string): Promise<void> {
  const file = lockOf(path);
  const owner = existsSync(file) ? Number(await readFile(file, "utf8")) : 0;
  if (owner > 0 && owner !== process.pid && isAlive(owner))
    throw new SpctError("RUN_LOCKED", `Process ${owner} is writing to ${path} (${file} says so)`);
  await writeWhole(file, String(process.pid));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

export async function readManifest(path: string): Promise<RunManifest | undefined> {
  const file = join(path, "manifest.json");
  if (!existsSync(file)) return undefined;
  try {
    return JSON.parse(await readFile(file, "utf8"));
  } catch (error) {
    throw new SpctError("BAD_MANIFEST", `${file}: ${(error as Error).message}`, { cause: error });
  }
}

/** Writes a file so that it is there in full or not at all. */
export async function writeWhole(path: string, content: string): Promise<void> {
  await writeFile(`${path}.part`, content);
  await rename(`${path}.part`, path);
}

function refuseOther(known: RunManifest, wanted: RunManifest, path: string): void {
  const differing = differences(known.identity, wanted.identity);
  if (differing.length === 0) return;
  const what = `Another run is in ${path}: ${differing.join(", ")} differ${differing.length === 1 ? "s" : ""}`;
  throw new SpctError("RUN_MISMATCH", `${what}. Choose another folder, or the same settings to resume it`);
}

function differences(known: unknown, wanted: unknown, name = ""): string[] {
  const inner = (value: unknown) => (typeof value === "object" && value !== null ? Object.keys(value) : []);
  const names = new Set([...inner(known), ...inner(wanted)]);
  if (names.size === 0) return JSON.stringify(known) === JSON.stringify(wanted) ? [] : [name];
  return [...names].flatMap((key) =>
    differences(
      (known as Record<string, unknown> | null)?.[key],
      (wanted as Record<string, unknown> | null)?.[key],
      name === "" ? key : `${name}.${key}`,
    ),
  );
}

/** Truncates a file after its last line feed. */
function cutIncompleteLine(file: number): void {
  const chunk = Buffer.alloc(65_536);
  let end = fstatSync(file).size;
  const size = end;
  while (end > 0) {
    const start = Math.max(0, end - chunk.length);
    const read = readSync(file, chunk, 0, end - start, start);
    const last = chunk.subarray(0, read).lastIndexOf(10);
    if (last >= 0) {
      if (start + last + 1 < size) ftruncateSync(file, start + last + 1);
      return;
    }
    end = start;
  }
  ftruncateSync(file, 0);
}
