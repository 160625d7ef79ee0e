import { describe, expect, test } from "vitest";
import { printable, wrap } from "../../../lib/cli/terminal.js";

describe("wrap", () => {
  test.each([
    ["short", 20, "short"],
    ["one two three four", 12, "one two\nthree four"],
    ["one\n\ntwo", 12, "one\n\ntwo"],
    ["unbreakablewordthatislong", 10, "unbreakabl\newordthati\nslong"],
    ["", 10, ""],
  ])("%j at %i columns", (text, width, expected) => {
    expect(wrap(text, width)).toBe(expected);
  });

  test("indents every line but empty ones", () => {
    expect(wrap("one two three four\n\nfive", 16, "    ")).toBe("    one two\n    three four\n\n    five");
  });
});

test("control characters of others are shown, not obeyed", () => {
  expect(printable("a\u001b[2Jb\u0007c\rd\te\nf\u009bg")).toBe("a\ufffd[2Jb\ufffdc\ufffdd\te\nf\ufffdg");
});
