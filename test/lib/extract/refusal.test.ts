import { expect, test } from "vitest";
import { isRefusal } from "../../../lib/extract/refusal.js";

test.each([
  ["I'm sorry, but I can't assist with that request.", true],
  ["I’m sorry, but I can’t assist with that.", true],
  ["As an AI, I do not rate such content.", true],
  ["<think>rate it</think>\n\nI cannot judge these responses.", true],
  ["I must decline to compare them.", true],
  ["Principles:\n1. Accuracy\n\nCritique: both are fine.\n\nScores: 8 and 5", false],
  ["Response 1 is better: the assistant says sorry and helps.", false],
  [`${"The responses differ in tone. ".repeat(10)}I cannot tell them apart.`, false],
  ["", false],
])("%j: %s", (text, expected) => {
  expect(isRefusal(text)).toBe(expected);
});
