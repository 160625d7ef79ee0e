import { describe, expect, test } from "vitest";
import { extractScores, extractWinner } from "../../../lib/extract/scores.js";

const read: [name: string, text: string, responses: number, scores: number[]][] = [
  ["a box", "Scores: \\boxed{8, 5}", 2, [8, 5]],
  ["one response", "\\boxed{7}", 1, [7]],
  ["many responses", "\\boxed{8, 5, 1, 10, 3}", 5, [8, 5, 1, 10, 3]],
  ["two backslashes", "Scores: \\\\boxed{8, 5}", 2, [8, 5]],
  ["three backslashes", "\\\\\\boxed{8, 5}", 2, [8, 5]],
  ["no spaces", "\\boxed{8,5}", 2, [8, 5]],
  ["spaces and line breaks", "\\boxed{\n 8 ,\n 5 }", 2, [8, 5]],
  ["space before the brace", "\\boxed {8, 5}", 2, [8, 5]],
  ["a markdown heading", "### Scores\n\n**\\boxed{8, 5}**", 2, [8, 5]],
  ["bold label", "**Scores:** $\\boxed{8, 5}$.", 2, [8, 5]],
  ["brackets in the box", "\\boxed{[8, 5]}", 2, [8, 5]],
  ["sized brackets in the box", "\\boxed{\\left[8, 5\\right]}", 2, [8, 5]],
  ["text commands in the box", "\\boxed{\\text{8}, \\mathbf{5}}", 2, [8, 5]],
  ["thin spaces in the box", "\\boxed{8,\\ 5}", 2, [8, 5]],
  ["out of ten", "\\boxed{8/10, 5 / 10}", 2, [8, 5]],
  ["fractions", "\\boxed{8.5, 5.0}", 2, [8.5, 5]],
  ["full-width comma", "\\boxed{8，5}", 2, [8, 5]],
  ["a bare list", "Scores: [8, 5]", 2, [8, 5]],
  ["a bare list, one response", "Score: [7]", 1, [7]],
  [
    "per-criterion lists before the box",
    "Accuracy: [3, 9]\nClarity: [4, 4]\nScores: \\boxed{8, 5}",
    2,
    [8, 5],
  ],
  ["per-criterion boxes before the box", "\\boxed{1, 2}\n\\boxed{3}\nfinal \\boxed{8, 5}", 2, [8, 5]],
  ["a bare list after a box", "Draft \\boxed{1, 2}. Scores: [8, 5]", 2, [8, 5]],
  ["a citation after the box", "\\boxed{8, 5} as said in [1] and [2, 3, 4]", 2, [8, 5]],
  ["a citation after the box, one response", "\\boxed{8} as said in [1]", 1, [8]],
  ["a draft in a think block", "<think>\\boxed{1, 1}</think>Scores: \\boxed{8, 5}", 2, [8, 5]],
  ["a draft before a closing tag alone", "maybe \\boxed{1, 1}</think>\\boxed{8, 5}", 2, [8, 5]],
  ["a thinking block", "<thinking>[1, 1]</thinking>[8, 5]", 2, [8, 5]],
  ["an unfinished box after the box", "\\boxed{8, 5} and \\boxed{9, 4", 2, [8, 5]],
  ["unmatched braces around", "} { code } } \\boxed{8, 5} {", 2, [8, 5]],
  ["escaped braces inside", "\\boxed{8, 5} \\} \\{", 2, [8, 5]],
  ["CRLF", "Scores:\r\n\\boxed{8, 5}\r\n", 2, [8, 5]],
  ["both ends of the scale", "\\boxed{1, 10}", 2, [1, 10]],
];

const failed: [name: string, text: string, responses: number, reason: string][] = [
  ["nothing", "", 2, "no-scores"],
  ["prose", "Response 1 is better: 8 against 5.", 2, "no-scores"],
  ["an unfinished box", "Scores: \\boxed{8, 5", 2, "no-scores"],
  ["a bare list of another length", "see [1]", 2, "no-scores"],
  ["too few", "\\boxed{8}", 2, "wrong-count"],
  ["too many", "\\boxed{8, 5, 3}", 2, "wrong-count"],
  ["a later box of another length", "\\boxed{8, 5} then \\boxed{7}", 2, "wrong-count"],
  ["an empty box", "\\boxed{}", 2, "not-a-number"],
  ["an empty entry", "\\boxed{8, }", 2, "not-a-number"],
  ["words", "\\boxed{A, B}", 2, "not-a-number"],
  ["a fraction of LaTeX", "\\boxed{\\frac{8}{1}, 5}", 2, "not-a-number"],
  ["numbers side by side", "\\boxed{{8}{5}, 5}", 2, "not-a-number"],
  ["an exponent", "\\boxed{1e1, 5}", 2, "not-a-number"],
  ["zero", "\\boxed{0, 5}", 2, "out-of-range"],
  ["above the scale", "\\boxed{8, 11}", 2, "out-of-range"],
  ["below zero", "\\boxed{-8, 5}", 2, "out-of-range"],
  ["a hundred", "\\boxed{80, 100}", 2, "out-of-range"],
  ["an open think block", "<think>\\boxed{8, 5}", 2, "unfinished-thought"],
  ["a second, open think block", "<think>a</think>\\boxed{8, 5}<think>", 2, "unfinished-thought"],
  ["scores in the thought alone", "<think>\\boxed{8, 5}</think>done", 2, "no-scores"],
];

describe("extractScores", () => {
  test.each(read)("reads %s", (_name, text, responses, scores) => {
    expect(extractScores(text, { responses })).toEqual({ scores });
  });

  test.each(failed)("fails on %s", (_name, text, responses, reason) => {
    expect(extractScores(text, { responses })).toEqual({ scores: null, reason });
  });

  test("takes any number of scores when the count is not known", () => {
    expect(extractScores("[1, 2] \\boxed{8, 5, 3}")).toEqual({ scores: [8, 5, 3] });
  });

  test("clamps when asked to", () => {
    expect(extractScores("\\boxed{-3, 100}", { responses: 2, outOfRange: "clamp" })).toEqual({
      scores: [1, 10],
    });
  });

  test("reads another scale", () => {
    expect(extractScores("\\boxed{0}", { responses: 1, minimum: 0, maximum: 1 })).toEqual({ scores: [0] });
    expect(extractScores("\\boxed{2}", { responses: 1, minimum: 0, maximum: 1 }).scores).toBeNull();
  });

  const million = 1_000_000;
  const hostile: [name: string, text: string][] = [
    ["opened boxes", "\\boxed{".repeat(million / 7)],
    ["nested boxes", "\\boxed{".repeat(million / 8) + "}".repeat(million / 8)],
    ["opened brackets", "[".repeat(million)],
    ["nested brackets", "[".repeat(million / 2) + "]".repeat(million / 2)],
    ["one endless list", `[${"1,".repeat(million / 2)}`],
    ["one endless box", `\\boxed{${"1,".repeat(million / 2)}}`],
    ["short lists", "[1,2]".repeat(million / 5)],
    ["backslashes", "\\".repeat(million)],
    ["braces", "{}".repeat(million / 2)],
    ["think tags", "<think></think>".repeat(million / 15)],
    ["spaces in a box", `\\boxed{${" ".repeat(million)}}`],
    ["digits in a box", `\\boxed{${"9".repeat(million)}}`],
  ];
  // A quadratic scan of these would take minutes; the bound only tells the two apart.
  test.each(hostile)("reads a megabyte of %s in linear time", (_name, text) => {
    const start = performance.now();
    extractScores(text, { responses: 2 });
    extractScores(text);
    expect(performance.now() - start).toBeLessThan(2000);
  });

  test("a random judgement gives back the scores it was made of", () => {
    let state = 1;
    const draw = (below: number) => {
      state = (state * 48271) % 2147483647;
      return state % below;
    };
    const noise = [
      "{",
      "}",
      "[",
      "]",
      "[1]",
      "\\",
      "\n",
      "boxed",
      "<b>",
      "8, 5",
      "\\boxed{3}",
      "### ",
      "，",
      "😀",
    ];
    for (let round = 0; round < 2000; round++) {
      const scores = Array.from({ length: 1 + draw(5) }, () => 1 + draw(10));
      const before = Array.from({ length: draw(12) }, () => noise[draw(noise.length)]).join(" ");
      const text = `${before} \\boxed{${scores.join(draw(2) ? ", " : ",")}}`;
      expect(extractScores(text, { responses: scores.length }), text).toEqual({ scores });
    }
  });
});

describe("extractWinner", () => {
  test.each([
    ["\\boxed{1}", [1, 0]],
    ["\\boxed{2}", [0, 1]],
  ])("reads %s as one vote", (text, scores) => {
    expect(extractWinner(text, 2)).toEqual({ scores });
  });

  test.each([
    ["\\boxed{3}", "out-of-range"],
    ["\\boxed{1.5}", "not-a-number"],
    ["\\boxed{1, 2}", "wrong-count"],
    ["", "no-scores"],
  ])("fails on %s", (text, reason) => {
    expect(extractWinner(text, 2)).toEqual({ scores: null, reason });
  });
});
