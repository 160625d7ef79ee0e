import { existsSync, readdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { formatDuration } from "../../../lib/cli/eval.js";
import { run } from "../../../lib/cli/main.js";
import { custom } from "../../../lib/eval/benchmarks/custom.js";
import type { Judge } from "../../../lib/eval/judges/judge.js";
import { run as judgeInto } from "../../../lib/eval/run.js";
import type { SampleRecord } from "../../../lib/records.js";
import { temporaryFolder } from "../eval/temporary_folder.js";
import { FakeTerminal } from "./fake_terminal.js";

const folder = temporaryFolder();

async function spct(...args: string[]) {
  const terminal = new FakeTerminal();
  const code = await run(args, terminal);
  return { code, output: terminal.output.join("\n"), errors: terminal.errors.join("\n") };
}

const hostile = '</script><script>alert(1)</script><img src=x onerror="alert(2)">';
const rows = Array.from({ length: 40 }, (_, index) => ({
  id: `item-${index}`,
  subset: index % 2 === 0 ? "even" : "odd",
  query: `question ${index} ${hostile}`,
  responses: ["short", "a longer **response**"],
  label: index % 3 === 0 ? 1 : 0,
}));
const judgements = rows.map(({ id, label }, index) => ({
  id,
  n: 2,
  label,
  samples: [0, 1, 2, 3].map((sample) => ({
    order: sample % 2 === 0 ? [0, 1] : [1, 0],
    scores: sample === 3 && index % 5 === 0 ? null : [7 - (index % 4), 5 + (sample % 2)],
    meta: sample / 4,
    text: `Principles:\n1. Accuracy (weight: 50%)\n\nScores: \\boxed{7, 5} ${hostile}`,
    tokens: 50 + sample,
  })),
}));

let data: string;
let recorded: string;
let out: string;
let runs = 0;
beforeEach(() => {
  data = folder.writeLines("rows.jsonl", rows);
  recorded = folder.writeLines("judgements.jsonl", judgements);
  out = folder.path(`out-${runs++}`);
});

describe("eval --from", () => {
  test("prints the figures of vote, with intervals", async () => {
    const evaluated = await spct("eval", "custom", "--data", data, "--from", recorded, "--json");
    const voted = JSON.parse((await spct("vote", recorded, "--json")).output);
    expect(evaluated).toMatchObject({ code: 0, errors: "" });
    const figures = JSON.parse(evaluated.output);
    const { bySubset: _, ...all } = voted;
    expect(figures).toMatchObject(all);
    expect(Object.keys(figures.bySubset)).toEqual(["even", "odd"]);
    const [low, high] = figures.accuracyInterval;
    expect(low).toBeLessThan(figures.accuracy);
    expect(high).toBeGreaterThan(figures.accuracy);
  });

  test("writes a report that holds hostile texts as text and loads nothing", async () => {
    const { code, errors } = await spct(
      ...[
        "eval",
        "custom",
        "--data",
        data,
        "--from",
        recorded,
        "--against",
        recorded,
        "--out",
        out,
        "--name",
        "a <b> judge",
      ],
    );
    expect({ code, errors }).toEqual({ code: 0, errors: "" });
    expect(readdirSync(out).sort()).toEqual(["charts", "metrics.json", "report.html", "report.md"]);
    expect(readdirSync(join(out, "charts"))).toEqual(
      expect.arrayContaining(["curve.svg", "cost.svg", "subsets.svg"]),
    );
    const page = readFileSync(join(out, "report.html"), "utf8");
    expect(page).toContain("a &lt;b&gt; judge");
    expect(page.match(/<script/g)).toHaveLength(2);
    expect(page).not.toContain("<img");
    expect(page.match(/(?:src|href)="(?!#)[^"]*"/g)).toBeNull();
    expect(page).not.toMatch(/@import|url\(/);
    const [, embedded] = /<script type="application\/json" id="data">(.*?)<\/script>/s.exec(page)!;
    const entries = JSON.parse(embedded!);
    expect(entries).toHaveLength(40);
    expect(entries[0]).toMatchObject({ id: "item-0", query: expect.stringContaining(hostile), correct: [1] });
    expect(readFileSync(join(out, "report.md"), "utf8")).toContain("![More samples](charts/curve.svg)");
    expect(readFileSync(join(out, "charts/curve.svg"), "utf8")).toMatch(/^<svg /);
    const { comparison } = JSON.parse(readFileSync(join(out, "metrics.json"), "utf8"));
    expect(comparison).toMatchObject({ items: 40, difference: 0, p: 1 });
  });

  test("--no-report writes the figures alone", async () => {
    await spct("eval", "custom", "--data", data, "--from", recorded, "--out", out, "--no-report");
    expect(existsSync(join(out, "metrics.json"))).toBe(true);
    expect(existsSync(join(out, "report.html"))).toBe(false);
  });

  test("prints tables for people, and warns of gaps", async () => {
    const { output, errors } = await spct(
      "eval",
      "custom",
      "--data",
      data,
      "--from",
      recorded,
      "--limit",
      "30",
    );
    expect(output).toContain("By subset");
    expect(output).toContain("k = 4, meta RM");
    expect(errors).toBe("spct: 10 judgements belong to no item of the data");
  });

  test("a bad row ends it, or is left out and named", async () => {
    const bad = folder.writeLines("bad.jsonl", [rows[0], { ...rows[1], label: undefined }, rows[2]]);
    const some = folder.writeLines("some.jsonl", [judgements[0], judgements[2]]);
    const strict = await spct("eval", "custom", "--data", bad, "--from", some, "--json");
    expect(strict).toMatchObject({
      code: 1,
      errors: `spct: ${bad}:2: no label: the column label is missing`,
    });
    expect(JSON.parse(strict.output).error.code).toBe("BAD_ROW");
    const lenient = await spct("eval", "custom", "--data", bad, "--from", some, "--json", "--skip-bad");
    expect(lenient).toMatchObject({ code: 0, errors: expect.stringContaining("1 bad rows were left out") });
    expect(JSON.parse(lenient.output)).toMatchObject({
      items: 2,
      bad: { count: 1, first: [{ number: 2, reason: "no label: the column label is missing" }] },
    });
  });

  test("writes the files that RewardBench's own tools write", async () => {
    const subsets = ["alpacaeval-easy", "hep-go", "shp"];
    const own = subsets.flatMap((subset, index) =>
      [0, 1].map((id) => ({
        id,
        subset,
        prompt: "p",
        chosen: "c",
        rejected: "r",
        won: id === 0 || index !== 1,
      })),
    );
    const rewardbench = folder.writeLines(
      "rewardbench.jsonl",
      own.map(({ won: _, ...row }) => row),
    );
    const scored = folder.writeLines(
      "scored.jsonl",
      own.map(({ id, subset, won }) => ({
        id: `${subset}/${id}`,
        n: 2,
        label: 0,
        samples: [{ scores: won ? [8, 3] : [3, 8], meta: null }],
      })),
    );
    await spct(
      "eval",
      "rewardbench",
      "--data",
      rewardbench,
      "--from",
      scored,
      "--out",
      out,
      "--name",
      "org/judge",
    );
    const read = (kind: string) =>
      JSON.parse(readFileSync(join(out, "results", kind, "org/judge.json"), "utf8"));
    expect(read("eval-set")).toEqual({
      "alpacaeval-easy": 1,
      "hep-go": 0.5,
      model: "org/judge",
      model_type: "Generative RM",
      chat_template: null,
    });
    expect(read("pref-sets")).toMatchObject({ shp: 1, model: "org/judge" });
    expect(read("pref-sets-scores").id).toEqual(["0", "1"]);
    expect(read("eval-set-scores")).toMatchObject({
      id: ["0", "1", "0", "1"],
      subset: ["alpacaeval-easy", "alpacaeval-easy", "hep-go", "hep-go"],
      results: [1, 1, 1, 0],
      scores_chosen: [8, 8, 8, 3],
      scores_rejected: [3, 3, 3, 8],
    });
  });
});

describe("report", () => {
  async function runFolder(): Promise<string> {
    const place = folder.path(`run-${runs++}`);
    const judge: Judge = {
      ...{ name: "recorded", identity: {}, details: {}, k: 4, concurrency: 1, close: async () => undefined },
      judge: async ({ id }) => judgements.find((one) => one.id === id)!.samples as SampleRecord[],
    };
    await judgeInto(custom, data, judge, place);
    return place;
  }

  test("measures a run again, also where its data has been moved or is gone", async () => {
    const place = await runFolder();
    const whole = JSON.parse((await spct("report", place, "--json")).output);
    expect(whole.bias.length.rightHasMore.count).toBe(40);
    const moved = folder.path("moved.jsonl");
    renameSync(data, moved);
    const again = JSON.parse((await spct("report", place, "--json", "--data", moved)).output);
    expect(again).toEqual(whole);
    const { errors, output } = await spct("report", place, "--json");
    expect(errors).toContain("rows.jsonl is not there any more");
    const { bias, texts, ...alone } = JSON.parse(output);
    expect(alone).toMatchObject({ accuracy: whole.accuracy, curve: whole.curve, bySubset: whole.bySubset });
    expect(bias.position).toEqual(whole.bias.position);
    expect(bias.length).toMatchObject({ slope: { value: null }, rightHasMore: { count: 0 } });
    expect(readFileSync(join(place, "report.html"), "utf8")).toContain("item-7");
  });

  test("refuses other data", async () => {
    const place = await runFolder();
    const other = folder.writeLines("other.jsonl", rows.slice(1));
    expect(await spct("report", place, "--data", other)).toMatchObject({
      code: 1,
      errors: expect.stringContaining("is not the data that was judged"),
    });
  });
});

test.each([
  [["eval", "nothing", "--data", "x.jsonl"], 2, "for benchmark but received"],
  [["eval", "custom"], 2, "required option '--data <path>'"],
  [["eval", "custom", "--data", "x.jsonl", "--from", "y", "--shard", "3/2"], 2, "for shard but received 3/2"],
  [["eval", "custom", "--data", "x.jsonl", "--from", "y", "--ties", "win"], 2, "for ties but received"],
  [["eval", "rmb", "--data", "nowhere.json", "--from", "nowhere.jsonl"], 1, "No such file: nowhere"],
  [["report", "nowhere"], 1, "No such file: nowhere/manifest.json"],
])("%j exits with %i", async (args, code, message) => {
  expect(await spct(...args)).toMatchObject({ code, errors: expect.stringContaining(message) });
});

test.each([
  [0, "0:00"],
  [61_000, "1:01"],
  [3_661_000, "1:01:01"],
])("formatDuration(%i)", (milliseconds, expected) => {
  expect(formatDuration(milliseconds)).toBe(expected);
});

test("a flip risk is for judges whose samples are one vote", async () => {
  const judged = (...more: string[]) => spct("eval", "custom", "--data", data, "--out", out, ...more);
  expect(await judged("--judge", "pairwise", "--flip-risk", "0.002")).toMatchObject({
    code: 2,
    errors: expect.stringContaining("with a flip risk for judge"),
  });
  expect(await judged("--flip-risk", "2")).toMatchObject({
    code: 2,
    errors: expect.stringContaining("for flipRisk but received 2"),
  });
});
