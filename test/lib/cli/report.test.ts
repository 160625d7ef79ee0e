import { beforeAll, describe, expect, test } from "vitest";
import { formatVerdict } from "../../../lib/cli/report.js";
import { Grm } from "../../../lib/judge.js";
import type { PromptTemplate } from "../../../lib/prompt/template.js";
import { loadTemplate } from "../../../lib/templates.js";
import { FakeEngine } from "../fake_engine.js";

let template: PromptTemplate;
beforeAll(async () => {
  template = await loadTemplate("compact");
});

const layout = { width: 80, color: false };
const judgement = (scores: string) =>
  [
    "Principles:",
    "1. Accuracy (weight 60): both the city and the territory are right, and nothing else that is said is wrong",
    "2. Brevity (weight 40)",
    "Critique:",
    "Response 1: names Canberra and the Australian Capital Territory, which is all that was asked. Nothing to add.",
    "Response 2: names Sydney, which is wrong.",
    `Scores: \\boxed{${scores}}`,
  ].join("\n");
const pair = { query: "Name the capital of Australia.", responses: ["Canberra, ACT.", "Sydney."] };

async function report(texts: string[], metas?: number[], verbose = false, query = pair): Promise<string> {
  const engine = new FakeEngine(({ sample }) => ({ text: texts[sample]!, meta: metas?.[sample] }), {
    hasHead: metas !== undefined,
  });
  const verdict = await Grm.over(engine, template).judge(query, { k: texts.length });
  const usage = { promptTokens: 480, promptTokensComputed: 190, generatedTokens: 300, milliseconds: 1500 };
  return `${formatVerdict({ ...verdict, usage }, layout, verbose)}\n`;
}

describe("the report of a verdict", () => {
  test.each([
    [
      "pair",
      [judgement("9, 2"), judgement("3, 8"), "I cannot say.", judgement("4, 8")],
      [1.25, 0.5, 2, -0.5],
    ],
    ["unrated", [judgement("9, 2"), judgement("2, 9")], undefined],
    ["tied", [judgement("9, 2"), judgement("9, 2")], undefined],
    ["failed", ["I cannot say.", "Nor can I."], undefined],
  ] as const)("%s", async (name, texts, metas) => {
    await expect(await report([...texts], metas && [...metas])).toMatchFileSnapshot(
      `../../fixtures/reports/${name}.txt`,
    );
  });

  test("single response", async () => {
    const single = { query: "Name the capital of Australia.", responses: ["Canberra."] };
    const text = await report(
      ["Principles:\n1. Accuracy\nScores: \\boxed{9}", "\\boxed{8}"],
      undefined,
      false,
      single,
    );
    await expect(text).toMatchFileSnapshot("../../fixtures/reports/single.txt");
  });

  test("verbose shows every judgement", async () => {
    const text = await report([judgement("9, 2"), judgement("2, 9")], undefined, true);
    expect(text.match(/^Sample \d/gm)).toEqual(["Sample 1", "Sample 2"]);
  });

  test("fits the width and hides control characters", async () => {
    const wild = `\u001b[2J${"word ".repeat(60)}${"x".repeat(200)}\n${judgement("9, 2")}`;
    for (const line of (await report([wild, wild], [1, 2], true)).split("\n")) {
      expect(line.length, line).toBeLessThanOrEqual(80);
      expect(line).not.toContain("\u001b");
    }
  });
});
