import { createHash } from "node:crypto";
import {
  closeSync,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { availableParallelism, cpus, homedir } from "node:os";
import { basename, dirname, join } from "node:path";
import { SpctError } from "./errors.js";
import { loadAddon } from "./native.js";
import { choice, integer, type Read, readOptions, text } from "./options.js";

const readers = {
  /** The day of the measurement. */
  measured: text,
  model: text,
  threads: integer(1),
  batchTokens: integer(1),
  flashAttention: choice("on", "off"),
};

/** Engine options that `spct doctor --calibrate` found to be the fastest for a model on this machine. */
export type Calibration = Read<typeof readers>;

/** Where calibrations are kept: the path in SPCT_CALIBRATION, else in the user's configuration folder; null for "off". */
function calibrationFile(): string | null {
  const chosen = process.env.SPCT_CALIBRATION;
  if (chosen === "off") return null;
  if (chosen !== undefined && chosen !== "") return chosen;
  const folder =
    process.env.XDG_CONFIG_HOME ||
    (process.platform === "win32" && process.env.APPDATA) ||
    join(homedir(), ".config");
  return join(folder, "spct", "calibration.json");
}

/** The calibration of a model on this machine with this build, if there is one. Throws BAD_CALIBRATION. */
export function findCalibration(modelPath: string): Calibration | undefined {
  const file = calibrationFile();
  if (file === null) return undefined;
  const entry = readAll(file)[keyOf(modelPath)];
  return entry === undefined ? undefined : readEntry(file, entry);
}

/** Where a calibration would be kept, and those that are there. Throws INVALID_ARGUMENT where none is to be, BAD_CALIBRATION. */
export function readCalibrations(): { file: string; all: Record<string, unknown> } {
  const file = calibrationFile();
  if (file === null) {
    throw new SpctError(
      "INVALID_ARGUMENT",
      "Expected a path in SPCT_CALIBRATION to calibrate but received off",
    );
  }
  return { file, all: readAll(file) };
}

/** Keeps a calibration in place of the model's former one and returns the file. Throws as `readCalibrations` does. */
export function keepCalibration(modelPath: string, calibration: Omit<Calibration, "model">): string {
  const { file, all } = readCalibrations();
  all[keyOf(modelPath)] = { ...calibration, model: basename(modelPath) };
  mkdirSync(dirname(file), { recursive: true });
  const fresh = `${file}.${process.pid}`;
  writeFileSync(fresh, `${JSON.stringify(all, null, 2)}\n`);
  renameSync(fresh, file);
  return file;
}

function readAll(file: string): Record<string, unknown> {
  if (!existsSync(file)) return {};
  try {
    const all = JSON.parse(readFileSync(file, "utf8"));
    if (typeof all === "object" && all !== null && !Array.isArray(all)) return all;
  } catch (error) {
    throw bad(file, (error as Error).message);
  }
  throw bad(file, "Expected an object");
}

function readEntry(file: string, entry: unknown): Calibration {
  try {
    return readOptions(readers, entry);
  } catch (error) {
    throw bad(file, (error as Error).message);
  }
}

function bad(file: string, reason: string): SpctError {
  return new SpctError("BAD_CALIBRATION", `${file}: ${reason} (delete the file and calibrate again)`);
}

/** What the speed depends on: the model, the machine, the build. */
function keyOf(modelPath: string): string {
  const { llamaCommit, cuda, instructionSets, devices } = loadAddon().systemInfo();
  const machine = [
    cpus()[0]?.model,
    availableParallelism(),
    devices.map(({ name, description }) => [name, description]),
  ];
  const parts = [modelMark(modelPath), machine, llamaCommit, cuda, instructionSets];
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 16);
}

/** A GGUF's size and its beginning, which says its architecture and measures; its weights may be many GB. */
function modelMark(path: string): string {
  const file = openSync(path, "r");
  try {
    const beginning = Buffer.alloc(65_536);
    const length = readSync(file, beginning, 0, beginning.length, 0);
    const hash = createHash("sha256").update(String(fstatSync(file).size));
    return hash.update(beginning.subarray(0, length)).digest("hex");
  } finally {
    closeSync(file);
  }
}
