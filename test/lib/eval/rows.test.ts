import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { loadItems } from "../../../lib/eval/benchmark.js";
import { custom } from "../../../lib/eval/benchmarks/custom.js";
import { readRows } from "../../../lib/eval/rows.js";
import { temporaryFolder } from "./temporary_folder.js";

const folder = temporaryFolder();

async function all<T>(source: AsyncIterable<T>): Promise<T[]> {
  const result: T[] = [];
  for await (const one of source) result.push(one);
  return result;
}

const good = { id: "a", query: "q", responses: ["x", "y"], label: 0 };

describe("readRows", () => {
  const rows = [{ a: 1 }, { a: 2 }];

  test.each([
    ["rows.json", JSON.stringify(rows)],
    ["named.json", JSON.stringify({ first: [rows[0]], second: [rows[1]] })],
    ["rows.jsonl", '{"a":1}\n\n{"a":2}'],
    ["rows.jsonl.gz", gzipSync('{"a":1}\n{"a":2}\n')],
    ["rows.json.gz", gzipSync(JSON.stringify(rows))],
  ])("reads %s", async (name, content) => {
    const read = await all(readRows(folder.write(name, content)));
    expect(read.map((row) => "value" in row && row.value)).toEqual(rows);
  });

  test("counts empty lines, so that the number is the line's", async () => {
    const read = await all(readRows(folder.write("gaps.jsonl", '{"a":1}\n\n{"a":\n')));
    expect(read.map(({ number }) => number)).toEqual([1, 3]);
    expect(read[1]).toMatchObject({ reason: expect.stringContaining("not a JSON line") });
  });

  test("reads a folder in the order of its names", async () => {
    folder.writeLines("set/b/one.jsonl", [{ a: 2 }]);
    folder.writeLines("set/a/one.jsonl", [{ a: 1 }]);
    folder.write("set/notes.txt", "no rows");
    const read = await all(readRows(folder.path("set")));
    expect(read.map((row) => "value" in row && row.value.a)).toEqual([1, 2]);
  });

  test("refuses other formats", async () => {
    await expect(all(readRows(folder.write("rows.csv", "a\n1")))).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining(".parquet"),
    });
  });
});

describe("bad rows", () => {
  const load = (name: string, onBad?: Parameters<typeof loadItems>[2]) =>
    all(loadItems(custom, folder.path(name), onBad));

  test.each<[string, unknown, string]>([
    ["no label", { ...good, label: undefined }, "no label: the column label is missing"],
    ["a label outside", { ...good, label: 2 }, "wrong count: label 2 names none of the 2 responses"],
    ["an empty text", { ...good, responses: ["x", " "] }, "the text of responses[1] is empty"],
    ["an empty query", { ...good, query: "" }, "the text of query is empty"],
    [
      "no responses",
      { ...good, responses: [] },
      "expected a list of texts for responses but received a list of 0",
    ],
    ["an unknown column", { ...good, lable: 1 }, "unknown column lable"],
    [
      "a turn without content",
      { ...good, query: [{ role: "user" }] },
      "the column query[0].content is missing",
    ],
    ["no object", [1], "expected an object"],
  ])("%s", async (_name, row, reason) => {
    folder.writeLines("bad.jsonl", [good, row, { ...good, id: "c" }]);
    await expect(load("bad.jsonl")).rejects.toMatchObject({
      code: "BAD_ROW",
      message: expect.stringMatching(/bad\.jsonl:2: /),
    });
    await expect(load("bad.jsonl")).rejects.toThrow(reason);
    const notes: unknown[] = [];
    const items = await load("bad.jsonl", (note) => notes.push(note));
    expect(items.map(({ id }) => id)).toEqual(["a", "c"]);
    expect(notes).toEqual([
      { file: folder.path("bad.jsonl"), number: 2, reason: expect.stringContaining(reason) },
    ]);
  });

  test("a broken gzip ends the file where it breaks", async () => {
    const lines = Array.from({ length: 5000 }, (_, index) =>
      JSON.stringify({ ...good, id: `${index * 7919}` }),
    );
    const whole = gzipSync(lines.join("\n"));
    folder.write("broken.jsonl.gz", whole.subarray(0, whole.length >> 1));
    await expect(load("broken.jsonl.gz")).rejects.toMatchObject({ code: "BAD_ROW" });
    const notes: { number: number; reason: string }[] = [];
    const items = await load("broken.jsonl.gz", (note) => notes.push(note));
    expect(items.length).toBeGreaterThan(1000);
    expect(items.length).toBeLessThan(4999);
    expect(notes).toEqual([
      expect.objectContaining({ reason: expect.stringContaining("cannot be read on") }),
    ]);
    expect(notes[0]!.number).toBe(items.length + 1);
  });
});
