import { Buffer } from "node:buffer";
import { writeFile } from "node:fs/promises";

export type GgufValue =
  | { type: "u32" | "i32" | "f32"; value: number }
  | { type: "bool"; value: boolean }
  | { type: "string"; value: string }
  | { type: "strings"; value: readonly string[] }
  | { type: "integers"; value: readonly number[] };

const typeCodes = { u32: 4, i32: 5, f32: 6, bool: 7, string: 8, array: 9 } as const;

function integer(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeInt32LE(value | 0);
  return buffer;
}

function long(value: number): Buffer {
  const buffer = Buffer.alloc(8);
  buffer.writeBigUInt64LE(BigInt(value));
  return buffer;
}

function string(value: string): Buffer {
  const bytes = Buffer.from(value, "utf8");
  return Buffer.concat([long(bytes.length), bytes]);
}

function encodeValue(entry: GgufValue): Buffer {
  switch (entry.type) {
    case "u32":
    case "i32":
      return Buffer.concat([integer(typeCodes[entry.type]), integer(entry.value)]);
    case "f32": {
      const buffer = Buffer.alloc(4);
      buffer.writeFloatLE(entry.value);
      return Buffer.concat([integer(typeCodes.f32), buffer]);
    }
    case "bool":
      return Buffer.concat([integer(typeCodes.bool), Buffer.from([entry.value ? 1 : 0])]);
    case "string":
      return Buffer.concat([integer(typeCodes.string), string(entry.value)]);
    case "strings":
      return Buffer.concat([
        integer(typeCodes.array),
        integer(typeCodes.string),
        long(entry.value.length),
        ...entry.value.map(string),
      ]);
    case "integers":
      return Buffer.concat([
        integer(typeCodes.array),
        integer(typeCodes.i32),
        long(entry.value.length),
        ...entry.value.map(integer),
      ]);
  }
}

/** A GGUF (version 3) file of metadata without tensors, such as a vocabulary. */
export function encodeGgufMetadata(metadata: ReadonlyMap<string, GgufValue>): Buffer {
  const parts = [Buffer.from("GGUF"), integer(3), long(0), long(metadata.size)];
  for (const [key, value] of metadata) parts.push(string(key), encodeValue(value));
  return Buffer.concat(parts);
}

export async function writeGgufMetadata(
  path: string,
  metadata: ReadonlyMap<string, GgufValue>,
): Promise<void> {
  await writeFile(path, encodeGgufMetadata(metadata));
}
