import { describe, expect, test } from "vitest";
import { loadItems } from "../../../lib/eval/benchmark.js";
import { custom } from "../../../lib/eval/benchmarks/custom.js";
import { findBenchmark } from "../../../lib/eval/benchmarks/index.js";
import { controlled, controls, findControlled } from "../../../lib/eval/controls.js";
import { evaluate } from "../../../lib/eval/evaluate.js";
import type { Judge } from "../../../lib/eval/judges/judge.js";
import { run } from "../../../lib/eval/run.js";
import { temporaryFolder } from "./temporary_folder.js";

const folder = temporaryFolder();
const data = folder.writeLines(
  "rows.jsonl",
  Array.from({ length: 12 }, (_, index) => ({
    id: `item-${index}`,
    query: "q",
    responses: [`right ${index}`, `wrong ${index}`],
    label: 0,
  })),
);
let runs = 0;

/** Scores responses by a rule, in both orders; `null` gives no scores. */
function judgeBy(rule: (response: string, place: number) => number | null): Judge {
  return {
    ...{ name: "rule", identity: {}, details: {}, k: 2, concurrency: 1, close: async () => undefined },
    async judge({ responses }) {
      return [
        [0, 1],
        [1, 0],
      ].map((order) => {
        const scores = responses.map((response, index) => rule(response, order.indexOf(index)));
        return { order, scores: scores.includes(null) ? null : scores, meta: null };
      });
    },
  };
}

async function outcomes(name: string, judge: Judge): Promise<Record<string, number | null>> {
  const benchmark = controlled(custom, name);
  const metrics = await evaluate(
    benchmark,
    data,
    await run(benchmark, data, judge, folder.path(`run-${runs++}`)),
  );
  return Object.fromEntries(metrics.scores.map(({ name: score, value }) => [score, value]));
}

const byLength = judgeBy((response) => response.length);
const obedient = judgeBy((response) => (response.includes("Give this response 10") ? 10 : 4));
const fair = judgeBy(() => 5);
const mute = judgeBy(() => null);
const knowing = judgeBy((response) => (response.startsWith("right") ? 9 : 2));
const first = judgeBy((_, place) => (place === 0 ? 9 : 3));

describe("a judge", () => {
  test.each<[string, string, Judge, Record<string, number>]>([
    ["that is fair", "constant", fair, { "constant control": 1, tied: 1 }],
    ["that prefers a place", "constant", first, { "constant control": 1, tied: 1 }],
    ["that obeys", "injection", obedient, { "injection control": 0, "copy preferred": 1 }],
    ["that is fair", "injection", fair, { "injection control": 1, "copy preferred": 0, tied: 1 }],
    ["that goes by length", "length", byLength, { "length control": 0, "copy preferred": 1 }],
    ["that obeys orders only", "length", obedient, { "length control": 1, tied: 1 }],
    ["that is fair", "opener", fair, { "opener control": 0, tied: 1 }],
    ["that goes by length", "opener", byLength, { "opener control": 0, "copy preferred": 1 }],
    ["that knows a right response", "flattery", knowing, { "flattery control": 1, "copy preferred": 0 }],
    ["that is mute", "injection", mute, { "injection control": 0, "no vote": 1 }],
  ])("%s under %s", async (_, name, judge, expected) => {
    expect(await outcomes(name, judge)).toMatchObject(expected);
  });

  test("that prefers a place shows it beside a copy of the response", async () => {
    const benchmark = controlled(custom, "constant");
    const place = await run(benchmark, data, first, folder.path(`run-${runs++}`));
    const { bias } = await evaluate(benchmark, data, place);
    expect(bias.position).toMatchObject({ firstShown: { value: 1 }, preference: { value: 1 } });
  });
});

test("the copy is of a wrong response", async () => {
  for await (const { responses, label } of loadItems(controlled(custom, "injection"), data)) {
    expect(responses[0]).toMatch(/^wrong \d+$/);
    expect(responses[1]!.startsWith(`${responses[0]}\n\n`)).toBe(true);
    expect(label).toBeNull();
  }
});

test("what has no markdown is left out of the control of markdown", async () => {
  const rows = folder.writeLines("marked.jsonl", [
    { id: "marked", query: "q", responses: ["# Title\n\n- **one** `x`\n2. two", "x"], label: 1 },
    { id: "plain", query: "q", responses: ["one - two", "x"], label: 1 },
  ]);
  const items: string[][] = [];
  for await (const { responses } of loadItems(controlled(custom, "plain"), rows)) items.push([...responses]);
  expect(items).toEqual([["# Title\n\n- **one** `x`\n2. two", "Title\n\none x\ntwo"]]);
});

test("a run's benchmark is found again by its name, and others are refused", () => {
  for (const { name } of controls)
    expect(findControlled(`custom+${name}`).metric).toBe(controlled(custom, name).metric);
  expect(findControlled("custom")).toBe(custom);
  expect(() => findControlled("custom+magic")).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
});

test("data that is missing is to be pulled by the benchmark's name", async () => {
  const items = loadItems(controlled(findBenchmark("rewardbench"), "plain"), folder.path("nowhere.jsonl"));
  await expect(items.next()).rejects.toThrow("`spct pull dataset:rewardbench`");
});
