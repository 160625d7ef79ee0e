import { describe, expect, test } from "vitest";
import { readParts } from "../../../lib/extract/parts.js";

describe("readParts", () => {
  test("splits the three parts of a plain judgement", () => {
    const text = [
      "Principles:",
      "1. mention river (weight 2)",
      "2. at most 6 words (weight 1)",
      "Critique:",
      "Response 1: mention river: yes; 3 of 3",
      "Response 2: mention river: no; 1 of 3",
      "Scores: \\boxed{10, 4}",
    ].join("\n");
    expect(readParts(text)).toEqual({
      principles: [
        { name: "mention river", weight: 2 },
        { name: "at most 6 words", weight: 1 },
      ],
      critique: "Response 1: mention river: yes; 3 of 3\nResponse 2: mention river: no; 1 of 3",
      scores: "\\boxed{10, 4}",
    });
  });

  test.each([
    [
      "### Specific Criteria\n- **Accuracy** (Weight: 40%): says what is so\n\n### Analysis\nGood.\n\n### Scores\n\\boxed{8}",
    ],
    [
      "**Principles:**\n1) Accuracy (40%) - says what is so\n**Critique:**\nGood.\n**Final Scores:** \\boxed{8}",
    ],
    [
      "<think>Principles:\n1. draft</think>\n1. Principles:\n* Accuracy: says what is so [weight: 40%]\n2. Critique: Good.\n3. Scores: \\boxed{8}",
    ],
  ])("reads drifting headings and weights: %s", (text) => {
    expect(readParts(text)).toEqual({
      principles: [{ name: "Accuracy", weight: 40, description: "says what is so" }],
      critique: "Good.",
      scores: "\\boxed{8}",
    });
  });

  test("reads lines that end as Windows ends them", () => {
    const text =
      "Principles:\r\n1. Accuracy (40%)\r\nCritique:\r\nGood.\r\nStill.\r\n**Scores:**\r\n\\boxed{8}\r\n";
    expect(readParts(text)).toEqual({
      principles: [{ name: "Accuracy", weight: 40 }],
      critique: "Good.\nStill.",
      scores: "\\boxed{8}",
    });
  });

  test("takes a number that is no weight for part of the name", () => {
    expect(readParts("Principles:\n1. Uses 7 words (important)").principles).toEqual([
      { name: "Uses 7 words (important)" },
    ]);
  });

  test("calls a text without headings all critique", () => {
    expect(readParts("Analysis is hard.\nStill \\boxed{8}")).toEqual({
      principles: [],
      critique: "Analysis is hard.\nStill \\boxed{8}",
      scores: "",
    });
  });

  test("reads a megabyte of anything quickly", () => {
    const start = performance.now();
    for (const piece of ["*", "(", "weight ", "1. ", "Principles:\n(1", " \n", ":"])
      readParts(`Principles:\n${piece.repeat(1_000_000 / piece.length)}`);
    expect(performance.now() - start).toBeLessThan(10_000);
  });
});
