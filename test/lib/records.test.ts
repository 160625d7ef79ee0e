import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type JudgementRecord, parseJudgement, readJudgements } from "../../lib/records.js";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "spct-records-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, content: string | Buffer): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

async function readAll(path: string): Promise<JudgementRecord[]> {
  const records: JudgementRecord[] = [];
  for await (const record of readJudgements(path)) records.push(record);
  return records;
}

const line = (id: string) =>
  JSON.stringify({ id, n: 2, label: 0, samples: [{ scores: [8, null], meta: 0.5 }, { scores: null }] });

describe("readJudgements", () => {
  test("reads plain and compressed files, passing over empty lines", async () => {
    const content = `${line("a")}\n\n${line("b")}\r\n${line("c")}`;
    for (const path of [file("plain.jsonl", content), file("packed.jsonl.gz", gzipSync(content))]) {
      const records = await readAll(path);
      expect(records.map(({ id }) => id)).toEqual(["a", "b", "c"]);
      expect(records[0]!.samples).toEqual([
        { scores: [8, null], meta: 0.5 },
        { scores: null, meta: null },
      ]);
    }
  });

  test("names the line that is bad", async () => {
    const path = file("bad.jsonl", `${line("a")}\n{"id":\n`);
    await expect(readAll(path)).rejects.toMatchObject({
      code: "BAD_RECORD",
      message: expect.stringContaining("bad.jsonl:2: "),
    });
  });

  test("reports a file that is missing, cut off or not compressed", async () => {
    await expect(readAll(join(folder, "none.jsonl"))).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
    const whole = gzipSync(Array.from({ length: 2000 }, (_, index) => line(String(index))).join("\n"));
    await expect(readAll(file("cut.jsonl.gz", whole.subarray(0, whole.length / 2)))).rejects.toMatchObject({
      code: "BAD_RECORD",
    });
    await expect(readAll(file("plain.jsonl.gz", line("a")))).rejects.toMatchObject({ code: "BAD_RECORD" });
    await expect(readAll(folder)).rejects.toMatchObject({ code: "BAD_RECORD" });
  });

  test("may be left early", async () => {
    const path = file(
      "long.jsonl",
      Array.from({ length: 5000 }, (_, index) => line(String(index))).join("\n"),
    );
    for await (const { id } of readJudgements(path)) {
      if (id === "3") break;
    }
    expect(await readAll(path)).toHaveLength(5000);
  });
});

test.each([
  ["no object", [], "expected an object"],
  ["no id", { n: 1, label: null, samples: [] }, "string for id"],
  ["n of zero", { id: "a", n: 0, label: null, samples: [] }, "at least 1 for n"],
  ["a label out of range", { id: "a", n: 2, label: 2, samples: [] }, "indices below 2"],
  ["a label in a list out of range", { id: "a", n: 2, label: [0, -1], samples: [] }, "indices below 2"],
  [
    "more samples than were asked for",
    { id: "a", n: 1, label: 0, k: 1, samples: [{ scores: [1] }, { scores: [1] }] },
    "at least the number of samples (2) for k",
  ],
  ["no samples", { id: "a", n: 2, label: 0 }, "array for samples"],
  ["a sample that is none", { id: "a", n: 2, label: 0, samples: [7] }, "samples[0]"],
  [
    "too few scores",
    { id: "a", n: 2, label: 0, samples: [{ scores: [1] }] },
    "2 numbers for samples[0].scores",
  ],
  ["a score that is text", { id: "a", n: 2, label: 0, samples: [{ scores: [1, "2"] }] }, "2 numbers"],
  [
    "a meta score that is text",
    { id: "a", n: 1, label: 0, samples: [{ scores: [1], meta: "x" }] },
    "samples[0].meta",
  ],
])("rejects %s", (_name, value, problem) => {
  expect(() => parseJudgement(JSON.stringify(value), "f:1")).toThrow(problem);
});
