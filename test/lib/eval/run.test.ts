// What a run writes may not depend on how often it was interrupted; test/addon/eval_kill.test.ts does it with kill -9.
import { appendFileSync, existsSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { SpctError } from "../../../lib/errors.js";
import { custom } from "../../../lib/eval/benchmarks/custom.js";
import { itemOrders, seedOf } from "../../../lib/eval/judges/grm.js";
import { type RunOptions, type RunProgress, run } from "../../../lib/eval/run.js";
import { ScriptedJudge } from "./scripted_judge.js";
import { temporaryFolder } from "./temporary_folder.js";

const folder = temporaryFolder();
const rows = Array.from({ length: 30 }, (_, index) => ({
  id: `item-${index}`,
  query: `question ${index}`,
  responses: ["one", "two"],
  label: index % 2,
}));
const data = folder.writeLines("rows.jsonl", rows);
let runs = 0;
const fresh = () => folder.path(`run-${runs++}`);

async function judge(place: string, judge = new ScriptedJudge(), options: RunOptions = {}) {
  const path = await run(custom, data, judge, place, options);
  return { path, text: readFileSync(path, "utf8"), judge };
}

describe("run", () => {
  test("writes a line for each item in the order of the data, several judged at once", async () => {
    const { text, judge: scripted } = await judge(fresh());
    const records = text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(records.map(({ id }) => id)).toEqual(rows.map(({ id }) => id));
    expect(records[3]).toMatchObject({
      n: 2,
      label: 1,
      samples: [{ order: [0, 1], seed: 0, tokens: 40 }, {}, {}],
    });
    expect(scripted.mostRunning).toBe(scripted.concurrency);
  });

  test("resumes after any cut of the last lines, and writes the same", async () => {
    const whole = await judge(fresh());
    const size = Buffer.byteLength(whole.text);
    for (const cut of [0, 1, 2, 300, 900, 5000, size - 1, size]) {
      const place = fresh();
      const { path } = await judge(place);
      truncateSync(path, size - cut);
      const { text, judge: second } = await judge(place);
      expect(text).toBe(whole.text);
      const lost = whole.text.slice(size - cut).split("\n").length - 1;
      expect(second.asked).toBe(lost);
    }
  });

  test("says in its manifest what it was", async () => {
    const place = fresh();
    await judge(place, new ScriptedJudge(), { limit: 2 });
    const manifest = JSON.parse(readFileSync(join(place, "manifest.json"), "utf8"));
    expect(manifest.identity).toMatchObject({
      benchmark: "custom",
      data: expect.stringMatching(/^[0-9a-f]{64}$/),
      part: { limit: 2 },
      judge: { kind: "scripted", k: 3 },
    });
    expect(manifest.about).toMatchObject({
      data,
      judge: "scripted",
      spct: expect.any(String),
      details: { machine: "none" },
    });
  });

  test("a finished run judges nothing", async () => {
    const place = fresh();
    await judge(place);
    expect((await judge(place)).judge.asked).toBe(0);
  });

  test("a damaged line that is complete is an error, not judged again silently", async () => {
    const place = fresh();
    const { path } = await judge(place);
    appendFileSync(path, '{"id":\n');
    await expect(judge(place)).rejects.toMatchObject({ code: "BAD_RECORD" });
  });

  test("refuses to resume with another judge, data or part", async () => {
    const place = fresh();
    await judge(place);
    await expect(judge(place, new ScriptedJudge(4))).rejects.toMatchObject({
      code: "RUN_MISMATCH",
      message: expect.stringContaining("judge.k differs"),
    });
    await expect(judge(place, new ScriptedJudge(), { limit: 3 })).rejects.toThrow("part.limit differs");
    const other = folder.writeLines("other.jsonl", rows.slice(1));
    await expect(run(custom, other, new ScriptedJudge(), place)).rejects.toThrow("data differs");
  });

  test("refuses a folder that a living process writes to, not one whose process is gone", async () => {
    const place = fresh();
    await judge(place, new ScriptedJudge(), { limit: 3 });
    writeFileSync(join(place, "writing.pid"), String(process.ppid));
    await expect(judge(place, new ScriptedJudge(), { limit: 3 })).rejects.toMatchObject({
      code: "RUN_LOCKED",
    });
    writeFileSync(join(place, "writing.pid"), "99999999");
    await judge(place, new ScriptedJudge(), { limit: 3 });
    expect(existsSync(join(place, "writing.pid"))).toBe(false);
  });

  test("items that share an id are all judged, also when resumed between them", async () => {
    const same = folder.writeLines("same.jsonl", [rows[0], rows[0], rows[1], rows[0]]);
    const place = fresh();
    const path = await run(custom, same, new ScriptedJudge(), place);
    const whole = readFileSync(path, "utf8");
    expect(whole.split("\n")).toHaveLength(5);
    writeFileSync(path, `${whole.split("\n").slice(0, 1).join("\n")}\n`);
    await run(custom, same, new ScriptedJudge(), place);
    expect(readFileSync(path, "utf8")).toBe(whole);
  });

  test("shards cover the data once, limits its beginning", async () => {
    const ids = async (options: RunOptions) => {
      const { text } = await judge(fresh(), new ScriptedJudge(), options);
      return text
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line).id);
    };
    const parts = await Promise.all([1, 2, 3].map((index) => ids({ shard: { index, of: 3 } })));
    expect(parts.map((part) => part.length)).toEqual([10, 10, 10]);
    expect(new Set(parts.flat()).size).toBe(30);
    expect(await ids({ limit: 2 })).toEqual(["item-0", "item-1"]);
    expect(await ids({ limit: 2, shard: { index: 2, of: 10 } })).toEqual(["item-1", "item-11"]);
  });

  test("an item that is too long fails by itself, with its reason", async () => {
    const scripted = new ScriptedJudge(2, { kind: "scripted" }, ({ id }) => {
      if (id === "item-4") throw new SpctError("CONTEXT_OVERFLOW", "too long");
    });
    const { text } = await judge(fresh(), scripted);
    const records = text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(records).toHaveLength(30);
    expect(records[4].samples).toEqual([
      { scores: null, reason: "context-overflow", meta: null },
      { scores: null, reason: "context-overflow", meta: null },
    ]);
  });

  test("what fails in the judge ends the run, and keeps what came before", async () => {
    const place = fresh();
    let broken = true;
    const flaky = () =>
      new ScriptedJudge(3, { kind: "scripted", k: 3 }, ({ id }) => {
        if (broken && id === "item-12") throw new SpctError("ENGINE_DIED", "gone");
      });
    await expect(judge(place, flaky())).rejects.toMatchObject({ code: "ENGINE_DIED" });
    const kept = readFileSync(join(place, "judgements.jsonl"), "utf8");
    expect(kept.trim().split("\n")).toHaveLength(12);
    broken = false;
    expect((await judge(place, flaky())).text).toBe((await judge(fresh())).text);
  });

  test("tells how far it is", async () => {
    const seen: RunProgress[] = [];
    await judge(fresh(), new ScriptedJudge(), { onProgress: (progress) => void seen.push(progress) });
    expect(seen).toHaveLength(30);
    expect(seen[29]).toMatchObject({ done: 30, total: 30, judged: 30, accuracy: expect.any(Number) });
  });
});

describe("seeds and orders of an item", () => {
  test("depend on the item and the seed only", () => {
    expect(seedOf("a", 0)).toBe(seedOf("a", 0));
    expect(seedOf("a", 0)).not.toBe(seedOf("b", 0));
    expect(seedOf("a", 0)).not.toBe(seedOf("a", 1));
    expect(seedOf("a", 0)).toBeLessThan(2 ** 48);
  });

  test("one sample sees the first response first in half of the items", () => {
    const first = Array.from(
      { length: 1000 },
      (_, index) => itemOrders(2, 1, seedOf(`item ${index}`, 0))[0]![0]!,
    );
    expect(first.reduce((sum, one) => sum + one, 0)).toBeGreaterThan(440);
    expect(first.reduce((sum, one) => sum + one, 0)).toBeLessThan(560);
  });

  test("as many samples as responses show each response everywhere", () => {
    const orders = itemOrders(4, 8, 17);
    expect(orders).toHaveLength(4);
    for (const position of [0, 1, 2, 3]) expect(new Set(orders.map((order) => order[position])).size).toBe(4);
    expect(itemOrders(4, 2, 17)).toEqual(orders.slice(0, 2));
  });
});
