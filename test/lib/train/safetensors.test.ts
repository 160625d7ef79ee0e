import { mkdtempSync, rmSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { importHead } from "../../../lib/train/import_head.js";
import { readSafetensors } from "../../../lib/train/safetensors.js";

const folder = mkdtempSync(join(tmpdir(), "spct-safetensors-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Given {
  dtype: string;
  shape: number[];
  data: Buffer;
}

type Header = Record<string, Record<string, unknown>>;

function encode(tensors: Record<string, Given>, change: (header: Header) => void = () => undefined) {
  const header: Header = { __metadata__: { format: "pt" } };
  let at = 0;
  for (const [name, { dtype, shape, data }] of Object.entries(tensors)) {
    header[name] = { dtype, shape, data_offsets: [at, at + data.length] };
    at += data.length;
  }
  change(header);
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, ...Object.values(tensors).map(({ data }) => data)]);
}

async function save(content: Buffer): Promise<string> {
  const path = join(folder, "model.safetensors");
  await writeFile(path, content);
  return path;
}

const floats = (...values: number[]) => Buffer.from(Float32Array.from(values).buffer);
const halves = (...values: number[]) => Buffer.from(Uint16Array.from(values).buffer);
const score = { dtype: "F32", shape: [1, 3], data: floats(1, -2, 0.5) };

describe("readSafetensors", () => {
  test("reads F32, F16 and BF16, each at its place", async () => {
    const path = await save(
      encode({
        first: { dtype: "F32", shape: [2], data: floats(7, 8) },
        // 1, -2, 1.5 (rounded down), the smallest subnormal, the largest finite
        half: { dtype: "F16", shape: [5], data: halves(0x3c00, 0xc000, 0x3e00, 0x0001, 0x7bff) },
        brain: { dtype: "BF16", shape: [1, 3], data: halves(0x3f80, 0xc000, 0x3fc0) },
      }),
    );
    const [half, brain, none, first] = await readSafetensors(path, ["half", "brain", "none", "first"]);
    expect([...half!.values]).toEqual([1, -2, 1.5, 2 ** -24, 65504]);
    expect(brain).toEqual({ shape: [1, 3], values: Float32Array.of(1, -2, 1.5) });
    expect(none).toBeNull();
    expect([...first!.values]).toEqual([7, 8]);
  });

  test.each<[string, Buffer, string]>([
    ["an empty file", Buffer.alloc(0), "ends after 0 bytes"],
    ["a header beyond the end", Buffer.from("ffffffffffffff7f", "hex"), "is longer than it"],
    [
      "a header that is no JSON",
      Buffer.concat([Buffer.from([3, 0, 0, 0, 0, 0, 0, 0]), Buffer.from("{a}")]),
      "no JSON",
    ],
    [
      "a header that is a list",
      Buffer.concat([Buffer.from([2, 0, 0, 0, 0, 0, 0, 0]), Buffer.from("[]")]),
      "no object",
    ],
    ["a type that is not read", encode({ x: { ...score, dtype: "I64" } }), "received I64"],
    ["fewer bytes than the shape", encode({ x: { ...score, shape: [1, 4] } }), "expected 16 bytes"],
    ["a file that ends early", encode({ x: score }).subarray(0, -1), "expected 12 bytes"],
    [
      "an entry without offsets",
      encode({ x: score }, (header) => delete header.x!.data_offsets),
      "has no dtype",
    ],
    ["negative sizes", encode({ x: score }, (header) => (header.x!.shape = [-1, -3])), "has no dtype"],
  ])("refuses %s", async (_, content, message) => {
    await expect(readSafetensors(await save(content), ["x"])).rejects.toMatchObject({
      code: "NOT_SAFETENSORS",
      message: expect.stringContaining(message),
    });
  });

  test("a missing file", async () => {
    await expect(readSafetensors(join(folder, "none"), ["x"])).rejects.toMatchObject({
      code: "FILE_NOT_FOUND",
    });
  });
});

describe("importHead", () => {
  test("takes the row and, if there is one, the bias beside it", async () => {
    const plain = await save(encode({ other: score, "score.weight": score }));
    expect(await importHead(plain, undefined, 3)).toEqual({
      ...{ weight: Float32Array.of(1, -2, 0.5), bias: 0, tensor: "score.weight" },
    });
    const bias = { dtype: "F32", shape: [1], data: floats(0.25) };
    const biased = await save(encode({ "classifier.weight": score, "classifier.bias": bias }));
    expect(await importHead(biased, undefined, 3)).toMatchObject({ bias: 0.25, tensor: "classifier.weight" });
    expect(await importHead(biased, "classifier.weight", 3)).toMatchObject({ bias: 0.25 });
  });

  test.each<[Record<string, Given>, string | undefined, string]>([
    [{ other: score }, undefined, "HEAD_NOT_FOUND"],
    [{ other: score }, "score.weight", "HEAD_NOT_FOUND"],
    [{ "score.weight": { ...score, shape: [3, 1] } }, undefined, "HEAD_MISMATCH"],
    [{ "score.weight": { dtype: "F32", shape: [1, 2], data: floats(1, 2) } }, undefined, "HEAD_MISMATCH"],
    [{ "score.weight": { ...score, data: floats(1, Number.NaN, 2) } }, undefined, "HEAD_MISMATCH"],
    [{ "score.weight": score, "score.bias": { ...score, shape: [3] } }, undefined, "HEAD_MISMATCH"],
  ])("refuses %#", async (tensors, tensor, code) => {
    await expect(importHead(await save(encode(tensors)), tensor, 3)).rejects.toMatchObject({ code });
  });
});
