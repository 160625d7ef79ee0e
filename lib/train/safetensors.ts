import { type FileHandle, open } from "node:fs/promises";
import { SpctError } from "../errors.js";

interface Entry {
  dtype: string;
  shape: number[];
  data_offsets: [number, number];
}

/** Largest header that is read; the format's own limit. */
const largestHeader = 100_000_000;

const readers: Record<string, { bytes: number; read: (view: DataView, at: number) => number }> = {
  F32: { bytes: 4, read: (view, at) => view.getFloat32(at, true) },
  F16: { bytes: 2, read: (view, at) => fromHalf(view.getUint16(at, true)) },
  BF16: { bytes: 2, read: (view, at) => fromBits(view.getUint16(at, true) << 16) },
};

/** A tensor of a safetensors file, its last dimension fastest. */
export interface SafeTensor {
  shape: number[];
  values: Float32Array;
}

/** Reads tensors of a safetensors file (F32, F16 or BF16) by name; null for one that is missing. Throws FILE_NOT_FOUND or
 * NOT_SAFETENSORS. */
export async function readSafetensors(
  path: string,
  names: readonly string[],
): Promise<(SafeTensor | null)[]> {
  let file: FileHandle;
  try {
    file = await open(path);
  } catch (error) {
    throw new SpctError("FILE_NOT_FOUND", `${path} cannot be read: ${(error as Error).message}`, {
      cause: error,
    });
  }
  try {
    const { size } = await file.stat();
    const length = Number((await readExactly(file, path, 0, 8)).getBigUint64(0, true));
    if (length > Math.min(largestHeader, size - 8))
      throw bad(path, `its header of ${length} bytes is longer than it`);
    const entries = readHeader(path, await readExactly(file, path, 8, length));
    const tensors: (SafeTensor | null)[] = [];
    for (const name of names) {
      const entry = Object.hasOwn(entries, name) ? entries[name] : undefined;
      tensors.push(entry === undefined ? null : await readTensor(file, path, name, entry, 8 + length, size));
    }
    return tensors;
  } finally {
    await file.close();
  }
}

function readHeader(path: string, view: DataView): Record<string, unknown> {
  try {
    const header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(view));
    if (typeof header === "object" && header !== null && !Array.isArray(header)) return header;
  } catch (error) {
    throw bad(path, `its header is no JSON: ${(error as Error).message}`, error);
  }
  throw bad(path, "its header is no object");
}

async function readTensor(
  file: FileHandle,
  path: string,
  name: string,
  entry: unknown,
  begin: number,
  size: number,
): Promise<SafeTensor> {
  if (!isEntry(entry)) throw bad(path, `the entry of ${name} has no dtype, shape and data_offsets`);
  const { dtype, shape, data_offsets: offsets } = entry;
  const reader = Object.hasOwn(readers, dtype) ? readers[dtype] : undefined;
  if (reader === undefined) throw bad(path, `expected F32, F16 or BF16 for ${name} but received ${dtype}`);
  const count = shape.reduce((product, length) => product * length, 1);
  const bytes = count * reader.bytes;
  if (offsets[1] - offsets[0] !== bytes || begin + offsets[1] > size) {
    throw bad(path, `expected ${bytes} bytes for ${name} at ${offsets.join(" to ")}, in a file of ${size}`);
  }
  const view = await readExactly(file, path, begin + offsets[0], bytes);
  return {
    shape,
    values: Float32Array.from({ length: count }, (_, at) => reader.read(view, at * reader.bytes)),
  };
}

function isEntry(value: unknown): value is Entry {
  if (typeof value !== "object" || value === null) return false;
  const { dtype, shape, data_offsets: offsets } = value as Partial<Entry>;
  const isCount = (number: unknown) => Number.isSafeInteger(number) && (number as number) >= 0;
  const counts = (list: unknown) => Array.isArray(list) && list.every(isCount);
  return typeof dtype === "string" && counts(shape) && counts(offsets) && offsets!.length === 2;
}

async function readExactly(
  file: FileHandle,
  path: string,
  position: number,
  bytes: number,
): Promise<DataView> {
  const buffer = Buffer.alloc(bytes);
  const { bytesRead } = await file.read(buffer, 0, bytes, position);
  if (bytesRead < bytes) throw bad(path, `it ends after ${position + bytesRead} bytes`);
  return new DataView(buffer.buffer, buffer.byteOffset, bytes);
}

function fromBits(bits: number): number {
  return new Float32Array(Uint32Array.of(bits).buffer)[0]!;
}

function fromHalf(half: number): number {
  const sign = half >> 15 === 0 ? 1 : -1;
  const exponent = (half >> 10) & 31;
  const fraction = (half & 1023) / 1024;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (exponent === 0 ? fraction * 2 ** -14 : (1 + fraction) * 2 ** (exponent - 15));
}

function bad(path: string, what: string, cause?: unknown): SpctError {
  return new SpctError("NOT_SAFETENSORS", `${path} is not a readable safetensors file: ${what}`, { cause });
}
