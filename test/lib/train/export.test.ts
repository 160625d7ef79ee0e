// What is exported for other trainers: its fields, and that the reward function in Python reads scores and rewards as we do.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { run } from "../../../lib/cli/main.js";
import { extractScores } from "../../../lib/extract/scores.js";
import type { PromptTemplate } from "../../../lib/prompt/template.js";
import { loadTemplate } from "../../../lib/templates.js";
import { rlRows, sftRows, trainers } from "../../../lib/train/export/rows.js";
import { Random } from "../../../lib/train/random.js";
import { type RlItem, ruleReward } from "../../../lib/train/rl_items.js";

const folder = mkdtempSync(join(tmpdir(), "spct-export-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let template: PromptTemplate;
beforeAll(async () => {
  template = await loadTemplate("compact");
});

const pair: RlItem = { id: "a", query: "q", responses: ["red", "blue"], label: 1 };
const single: RlItem = { id: "b", query: "q", responses: ["red"], label: 1 };

describe("prompts for reinforcement learning", () => {
  test("name the label by its place in the order shown", () => {
    const rows = Array.from({ length: 20 }, (_, seed) => rlRows("trl", [pair], template, seed)[0]!);
    for (const { prompt, label, responses } of rows) {
      const { content } = (prompt as { content: string }[])[0]!;
      expect(content).toContain(`Response ${(label as number) + 1}:\nblue\n`);
      expect(responses).toBe(2);
    }
    expect(new Set(rows.map(({ label }) => label))).toEqual(new Set([0, 1]));
    expect(rlRows("trl", [single], template, 3)[0]).toMatchObject({ label: 1, responses: 1 });
  });

  test("have the fields of each trainer", () => {
    const prompt = [{ role: "user", content: "Query:\nq\nResponse 1:\nred\n" }];
    const truth = '{"label":1,"responses":1}';
    expect(rlRows("trl", [single], template, 0)).toEqual([{ prompt, label: 1, responses: 1 }]);
    expect(rlRows("verl", [single], template, 0)).toEqual([
      {
        data_source: "spct",
        prompt,
        ability: "judging",
        reward_model: { style: "rule", ground_truth: truth },
        extra_info: { split: "train", index: 0, id: "b" },
      },
    ]);
    expect(rlRows("openrlhf", [single], template, 0)).toEqual([{ input: prompt, label: truth }]);
  });
});

test("conversations have the fields of each trainer", () => {
  const user = { role: "user", content: "q" };
  const assistant = { role: "assistant", content: "a" };
  const rows = trainers.map((trainer) => sftRows(trainer, [{ messages: [user], completion: "a" }])[0]);
  expect(rows).toEqual([
    { prompt: [user], completion: [assistant] },
    { messages: [user, assistant] },
    { input: [user], output: [assistant] },
  ]);
});

describe("spct train export", () => {
  const invoke = async (...args: string[]) => {
    const printed: string[] = [];
    const terminal = { print: (text: string) => void printed.push(text), warn: () => undefined };
    const code = await run(["train", "export", ...args, "--json"], terminal as never);
    return { code, printed: JSON.parse(printed[0]!) };
  };

  test("writes the files and the reward function", async () => {
    const { id: _, ...row } = pair;
    await writeFile(join(folder, "items.jsonl"), `${JSON.stringify(row)}\n`.repeat(3));
    const conversation = {
      messages: [
        { role: "user", content: "q" },
        { role: "assistant", content: "a" },
      ],
    };
    await writeFile(join(folder, "rows.jsonl"), JSON.stringify(conversation));
    const out = join(folder, "verl");
    const sources = ["--data", join(folder, "items.jsonl"), "--conversations", join(folder, "rows.jsonl")];
    const { code, printed } = await invoke("--for", "verl", ...sources, "--out", out);
    expect({ code, printed }).toEqual({ code: 0, printed: { out, rows: { "rl.jsonl": 3, "sft.jsonl": 1 } } });
    const lines = (await readFile(join(out, "rl.jsonl"), "utf8")).trim().split("\n");
    expect(lines.map((line) => JSON.parse(line).extra_info.index)).toEqual([0, 1, 2]);
    expect(JSON.parse(await readFile(join(out, "sft.jsonl"), "utf8"))).toEqual(conversation);
    expect(await readFile(join(out, "spct_reward.py"), "utf8")).toContain("def compute_score(");
  });

  test.each([
    [["--for", "axolotl", "--data", "x"], "INVALID_ARGUMENT"],
    [["--for", "trl"], "INVALID_ARGUMENT"],
    [["--for", "trl", "--data", join(folder, "missing.jsonl")], "FILE_NOT_FOUND"],
  ])("refuses %j", async (args, code) => {
    const { printed } = await invoke(...args, "--out", join(folder, "never"));
    expect(printed.error.code).toBe(code);
  });
});

const python = spawnSync("python3", ["--version"]).status === 0;
const module = fileURLToPath(new URL("../../../lib/train/export", import.meta.url));

function inPython(program: string, input: unknown): unknown {
  const source = `import json, sys\nsys.path.insert(0, ${JSON.stringify(module)})\nimport spct_reward as spct\ndata = json.load(sys.stdin)\n${program}`;
  const { stdout, stderr, status } = spawnSync("python3", ["-B", "-c", source], {
    input: JSON.stringify(input),
    encoding: "utf8",
    maxBuffer: 2 ** 26,
  });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}

describe.skipIf(!python)("the reward function in Python", () => {
  test("reads scores and rewards them as we do", () => {
    const parts = [
      "\\boxed{",
      "\\\\boxed {",
      "}",
      "{",
      "[",
      "]",
      "8",
      "5",
      "10",
      "1",
      "0",
      "7.5",
      "11",
      ", ",
      ",",
      "，",
      " ",
      "\n",
      "\u00a0",
      "<think>",
      "</think>",
      "</thinking>",
      "/10",
      "\\text{",
      "\\left",
      "\\,",
      "\\{",
      "\\}",
      "word",
      "$",
      "-",
      "٣",
      "\\boxed{8, 5}",
      "\\boxed{5}",
      "[8, 5]",
      "[1]",
      "\\boxed{3, 9, 1}",
    ];
    const random = new Random(9);
    const cases = Array.from({ length: 20_000 }, () => {
      const responses = random.integer(1, 3);
      const text = Array.from({ length: random.integer(1, 9) }, () => random.pick(parts)).join("");
      const label = random.integer(0, Math.max(1, responses - 1));
      return { text, responses, label };
    });
    const found = inPython(
      "json.dump([[spct.read_scores(c['text'], c['responses']), spct.rule_reward(c['text'], c['label'], c['responses'])] for c in data], sys.stdout)",
      cases,
    ) as [number[] | null, number][];
    const kinds = { read: 0, right: 0 };
    for (const [index, { text, responses, label }] of cases.entries()) {
      const [minimum, maximum] = responses === 1 ? [0, 1] : [1, 10];
      const { scores } = extractScores(text, { responses, minimum, maximum });
      expect(found[index], JSON.stringify(cases[index])).toEqual([scores, ruleReward(scores, label)]);
      if (scores !== null) kinds.read++;
      if (ruleReward(scores, label) === 1) kinds.right++;
    }
    expect(kinds.read).toBeGreaterThan(500);
    expect(kinds.right).toBeGreaterThan(100);
  }, 60_000);

  test("answers each trainer in its own way", () => {
    const good = "Scores: \\boxed{3, 8}";
    const program = `
import types
class Tensor(list):
    def __add__(self, other): return Tensor(value + other for value in self)
    def __truediv__(self, other): return Tensor(value / other for value in self)
sys.modules["torch"] = types.SimpleNamespace(tensor=Tensor)
truth = json.dumps({"label": 1, "responses": 2})
answer = [{"role": "assistant", "content": data}]
json.dump({
  "trl": spct.trl_reward(prompts=["p"] * 3, completions=[data, answer, "none"], label=[1, 0, 1], responses=[2, 2, 2]),
  "verl": spct.compute_score("spct", data, truth, {"index": 0}),
  "openrlhf": spct.reward_func(["ask [9, 1]" + data, "ask [1, 9]"], ["ask [9, 1]", "ask [1, 9]"], [truth, truth], extra=1),
}, sys.stdout)`;
    expect(inPython(program, good)).toEqual({
      trl: [1, -1, -1],
      verl: 1,
      openrlhf: { rewards: [1, -1], scores: [1, 0], extra_logs: { accuracy: [1, 0] } },
    });
  });
});
