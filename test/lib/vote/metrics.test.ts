import { describe, expect, test } from "vitest";
import { uniform } from "../../../lib/vote/draw.js";
import { credit, rocAuc } from "../../../lib/vote/metrics.js";

describe("credit", () => {
  test.each([
    ["a unique right choice", [9, 4], [0], "lose", 1],
    ["a unique wrong choice", [4, 9], [0], "share", 0],
    ["a tie that loses", [9, 9], [0], "lose", 0],
    ["a tie that is shared", [9, 9], [0], "share", 0.5],
    ["a tie of three", [9, 9, 9, 1], [0], "share", 1 / 3],
    ["a tie of wrong ones", [1, 9, 9], [0], "share", 0],
    ["several right choices", [9, 9, 9], [0, 2], "share", 2 / 3],
    ["one of several right choices", [1, 9, 2], [0, 1], "lose", 1],
  ] as const)("%s", (_name, scores, correct, ties, expected) => {
    expect(credit(scores, correct, ties)).toBeCloseTo(expected, 12);
  });

  test("draws among the tied, evenly and repeatably", () => {
    const draws = Array.from({ length: 3000 }, (_, item) => credit([9, 9, 9], [1], "random", 5, item));
    expect(draws).toEqual(
      Array.from({ length: 3000 }, (_, item) => credit([9, 9, 9], [1], "random", 5, item)),
    );
    const right = draws.reduce((sum, draw) => sum + draw, 0);
    expect(right).toBeGreaterThan(900);
    expect(right).toBeLessThan(1100);
  });
});

describe("rocAuc", () => {
  test.each([
    ["perfect", [1, 2, 3, 4], [false, false, true, true], 1],
    ["upside down", [4, 3, 2, 1], [false, false, true, true], 0],
    ["all equal", [5, 5, 5, 5], [false, true, false, true], 0.5],
    ["by hand, one tie", [1, 2, 2, 3], [false, true, false, true], 0.875],
    ["one class only", [1, 2], [true, true], null],
    ["nothing", [], [], null],
  ])("%s", (_name, values, positive, expected) => {
    expect(rocAuc(values, positive)).toBe(expected);
  });

  test("agrees with counting pairs", () => {
    const values = Array.from({ length: 200 }, (_, index) => Math.floor(uniform(1, index) * 10));
    const positive = Array.from({ length: 200 }, (_, index) => uniform(2, index) < 0.3);
    let pairs = 0;
    let won = 0;
    for (const [i, a] of values.entries()) {
      for (const [j, b] of values.entries()) {
        if (!positive[i] || positive[j]) continue;
        pairs++;
        won += a > b ? 1 : a === b ? 0.5 : 0;
      }
    }
    expect(rocAuc(values, positive)).toBeCloseTo(won / pairs, 12);
  });
});

test("uniform fills [0, 1) evenly", () => {
  const bins = new Array<number>(10).fill(0);
  for (let index = 0; index < 20_000; index++) bins[Math.floor(uniform(3, index) * 10)]!++;
  const chiSquare = bins.reduce((sum, count) => sum + (count - 2000) ** 2 / 2000, 0);
  expect(chiSquare).toBeLessThan(30); // 9 degrees of freedom: p is about 0.0004 at 30
});
