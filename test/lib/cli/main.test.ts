import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { run } from "../../../lib/cli/main.js";
import { FakeTerminal } from "./fake_terminal.js";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "spct-cli-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

async function spct(args: string[], terminal = new FakeTerminal()) {
  const code = await run(args, terminal);
  return { code, output: terminal.output.join("\n"), errors: terminal.errors.join("\n") };
}

describe("usage", () => {
  test("help and version are no errors", async () => {
    expect(await spct(["--help"])).toMatchObject({
      code: 0,
      output: expect.stringContaining("Usage: spct"),
      errors: "",
    });
    expect(await spct(["judge", "--help"])).toMatchObject({
      code: 0,
      output: expect.stringContaining("--response"),
    });
    expect(await spct(["--version"])).toMatchObject({
      code: 0,
      output: expect.stringMatching(/^\d+\.\d+\.\d+$/),
    });
  });

  test.each([
    [["jugde"], "unknown command"],
    [["vote"], "missing required argument 'file'"],
    [["vote", "x.jsonl", "--tie", "lose"], "unknown option"],
    [["extract", "--responses", "two"], "Expected a number but received two"],
    [["extract", "--responses", "1.5"], "Expected an integer but received 1.5"],
    [["extract", "--responses", "0"], "Expected an integer of at least 1 for responses but received 0"],
    [
      ["vote", "x.jsonl", "--ties", "win"],
      'Expected one of "lose", "share", "random" for ties but received "win"',
    ],
    [["vote", "x.jsonl", "-k", "0"], "for k but received 0"],
  ])("%j exits with 2", async (args, message) => {
    expect(await spct(args)).toMatchObject({ code: 2, output: "", errors: expect.stringContaining(message) });
  });

  test("no command shows the help and exits with 2", async () => {
    expect(await spct([])).toMatchObject({ code: 2, errors: expect.stringContaining("Usage: spct") });
  });
});

describe("extract", () => {
  test.each([
    [["--json"], "Scores: \\boxed{8, 5}", '{"scores":[8,5]}'],
    [["--json", "--responses", "2"], "\\boxed{8}", '{"scores":null,"reason":"wrong-count"}'],
    [["--json", "--clamp"], "\\boxed{0, 12}", '{"scores":[1,10]}'],
    [[], "Scores: \\boxed{8, 5}", "8, 5"],
    [[], "nothing", "no scores: no-scores"],
  ])("%j of %j", async (args, input, expected) => {
    const result = await spct(["extract", ...args], new FakeTerminal(input));
    expect(result).toEqual({ code: 0, output: expected, errors: "" });
  });
});

describe("vote", () => {
  const records = [
    {
      id: "a",
      subset: "easy",
      n: 2,
      label: 0,
      samples: [
        { scores: [8, 5], meta: 0.1 },
        { scores: [4, 6], meta: 0.9 },
      ],
    },
    {
      id: "b",
      subset: "hard",
      n: 2,
      label: [1],
      samples: [
        { scores: [5, 5], meta: 0.3 },
        { scores: null, meta: null },
      ],
    },
    { id: "c", n: 2, label: null, samples: [{ scores: [1, 2], meta: 0.2 }] },
  ];
  const file = (name: string, rows: unknown[]) => {
    const path = join(folder, name);
    const text = rows.map((row) => JSON.stringify(row)).join("\n");
    writeFileSync(path, name.endsWith(".gz") ? gzipSync(text) : text);
    return path;
  };

  test("prints the figures as JSON", async () => {
    const { code, output } = await spct(["vote", file("a.jsonl.gz", records), "--k-meta", "2", "--json"]);
    expect(code).toBe(0);
    const { bySubset, ...all } = JSON.parse(output);
    expect(all).toEqual({ items: 3, skipped: 0, labelled: 2, accuracy: 0.75, ties: 1, auc: 0.625 });
    expect(Object.keys(bySubset)).toEqual(["all", "easy", "hard"]);
    expect(bySubset.hard).toEqual({ items: 1, skipped: 0, labelled: 1, accuracy: 0.5, ties: 1, auc: 0.5 });
  });

  test("follows -k, --ties, --aggregate and the meta scores", async () => {
    const path = file("b.jsonl", records);
    const accuracy = async (...args: string[]) =>
      JSON.parse((await spct(["vote", path, "--json", ...args])).output).accuracy;
    expect(await accuracy("--ties", "lose")).toBe(0); // half of two samples: the meta RM keeps [4, 6]
    expect(await accuracy("--ties", "lose", "-k", "1")).toBe(0.5);
    expect(await accuracy("--aggregate", "mean", "--k-meta", "2")).toBe(0.75);
  });

  test("keeps of an item that was decided early the share that --k-meta is of its k", async () => {
    const samples = [1, 2, 3, 4].map((meta) => ({ scores: meta < 3 ? [1, 9] : [6, 4], meta }));
    const accuracy = async (record: object) => {
      const path = file("early.jsonl", [{ id: "a", n: 2, label: 0, samples, ...record }]);
      return JSON.parse((await spct(["vote", path, "--k-meta", "4", "--json"])).output).accuracy;
    };
    expect(await accuracy({ k: 8 })).toBe(1);
    expect(await accuracy({})).toBe(0);
  });

  test("prints a table for people", async () => {
    const { output } = await spct(["vote", file("c.jsonl", records), "--k-meta", "2"]);
    expect(output.split("\n")).toEqual([
      "subset    items  skipped labelled  accuracy   ties     AUC",
      "all           1        0        0         -      0       -",
      "easy          1        0        1   100.00%      0  1.0000",
      "hard          1        0        1    50.00%      1  0.5000",
      "total         3        0        2    75.00%      1  0.6250",
    ]);
  });

  test("exits with 1 for a file that is missing or wrong", async () => {
    expect(await spct(["vote", "nowhere.jsonl"])).toEqual({
      code: 1,
      output: "",
      errors: "spct: No such file: nowhere.jsonl",
    });
    const bad = await spct(["vote", file("bad.jsonl", [records[0], { id: 3 }]), "--json"]);
    expect(bad).toMatchObject({
      code: 1,
      errors: expect.stringContaining("bad.jsonl:2: expected a string for id"),
    });
    expect(JSON.parse(bad.output).error.code).toBe("BAD_RECORD");
  });

  test("refuses --k-meta where there are no meta scores", async () => {
    const path = file("unrated.jsonl", [{ id: "a", n: 1, label: 0, samples: [{ scores: [3] }] }]);
    expect(await spct(["vote", path, "--k-meta", "1"])).toMatchObject({
      code: 2,
      errors: expect.stringContaining("item a has none"),
    });
  });
});

describe("judge, before any model is loaded", () => {
  test.each([
    ["nothing to judge on a terminal", [], new FakeTerminal("", true), 2, "Expected --query and --response"],
    ["input that is no JSON", [], new FakeTerminal("hello"), 2, "Expected a JSON object on standard input"],
    [
      "a file that is missing",
      ["--query-file", "nowhere.txt", "--response", "a"],
      undefined,
      1,
      "No such file: nowhere.txt",
    ],
    [
      "a model that is missing",
      ["--query", "q", "--response", "a", "--model", "no.gguf"],
      undefined,
      1,
      "No such file: no.gguf",
    ],
  ])("%s", async (_name, args, terminal, code, message) => {
    expect(await spct(["judge", ...args], terminal)).toMatchObject({
      code,
      errors: expect.stringContaining(message),
    });
  });
});
