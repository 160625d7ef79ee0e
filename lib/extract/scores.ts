import type { ExtractionFailure } from "../types.js";

export type Extraction =
  | { scores: number[]; reason?: undefined }
  | { scores: null; reason: ExtractionFailure };

export interface ExtractionOptions {
  /** How many scores there must be; without it any number of them. */
  responses?: number;
  /** The scale, both ends included. Default 1 to 10. */
  minimum?: number;
  maximum?: number;
  /** What becomes of a number outside of the scale. The default rejects the sample: moving a number to the end of the
   * scale would invent a score. `clamp` is the rule of the code released with the paper's models. */
  outOfRange?: "reject" | "clamp";
}

/**
 * Reads the scores that a judgement ends with. One pass over the text, whatever it holds.
 *
 * Text up to the last `</think>` is a draft. After it the last candidate decides, alone: a complete `\boxed{…}` (one
 * backslash or several), or a bare bracket list of exactly as many numbers as there are responses. With one response a
 * bare list is looked at only where there is no box, as `[1]` is also how texts cite. A list of another length, or a
 * number out of range, makes the sample invalid; nothing is filled in (paper, section on inference: wrong counts are
 * left open there).
 */
export function extractScores(text: string, options: ExtractionOptions = {}): Extraction {
  const { responses, minimum = 1, maximum = 10, outOfRange = "reject" } = options;
  const start = endOfThought(text);
  if (start === null) return { scores: null, reason: "unfinished-thought" };
  const list = lastList(text, start, responses);
  if (list === null) return { scores: null, reason: "no-scores" };
  const scores = readNumbers(list, responses);
  if (typeof scores === "string") return { scores: null, reason: scores };
  if (outOfRange === "clamp")
    return { scores: scores.map((score) => Math.min(maximum, Math.max(minimum, score))) };
  const inside = scores.every((score) => score >= minimum && score <= maximum);
  return inside ? { scores } : { scores: null, reason: "out-of-range" };
}

/** Reads the winner's number of a pairwise judgement as one vote: 1 for the winner, 0 for the others. */
export function extractWinner(text: string, responses: number): Extraction {
  const found = extractScores(text, { responses: 1, minimum: 1, maximum: responses });
  if (found.scores === null) return found;
  const winner = found.scores[0]! - 1;
  if (!Number.isInteger(winner)) return { scores: null, reason: "not-a-number" };
  return { scores: Array.from({ length: responses }, (_, index) => (index === winner ? 1 : 0)) };
}

const thoughtMarkers = [
  ["<think>", "</think>"],
  ["<thinking>", "</thinking>"],
] as const;

/** Where the answer starts, or null if a thought is still open at the end. */
function endOfThought(text: string): number | null {
  let end = 0;
  for (const [open, close] of thoughtMarkers) {
    const closed = text.lastIndexOf(close);
    if (text.lastIndexOf(open) > closed) return null;
    if (closed >= 0) end = Math.max(end, closed + close.length);
  }
  return end;
}

const backslash = 92;
const openBrace = 123;
const closeBrace = 125;
const openBracket = 91;
const closeBracket = 93;
const letterB = 98;
const comma = 44;
const wideComma = 0xff0c;
const plainGroup = -1;

/** The content of the deciding list after `start`, or null. */
function lastList(text: string, start: number, responses: number | undefined): string | null {
  const groups: number[] = []; // open braces: where a box's content starts, or plainGroup
  let box: Span | null = null;
  let bare: Span | null = null;
  let bracket = -1; // start of a list that is numeric so far
  for (let at = start; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit === openBracket) {
      bracket = at + 1;
    } else if (unit === closeBracket && bracket >= 0) {
      if (typeof readNumbers(text.slice(bracket, at), responses) !== "string")
        bare = { start: bracket, end: at };
      bracket = -1;
    } else if (bracket >= 0 && !isListUnit(unit)) {
      bracket = -1;
    }
    if (unit === backslash) {
      const content = boxStart(text, at);
      if (content >= 0) {
        groups.push(content);
        at = content - 1;
      } else if (text.charCodeAt(at + 1) === openBrace || text.charCodeAt(at + 1) === closeBrace) {
        at++;
      }
    } else if (unit === openBrace) {
      groups.push(plainGroup);
    } else if (unit === closeBrace) {
      const content = groups.pop() ?? plainGroup;
      if (content !== plainGroup) box = { start: content, end: at };
    }
  }
  const bareDecides = bare !== null && (box === null || (responses !== 1 && bare.end > box.end));
  const decisive = bareDecides ? bare : box;
  return decisive === null ? null : text.slice(decisive.start, decisive.end);
}

interface Span {
  start: number;
  end: number;
}

/** After `\boxed {` at `at`, or -1. */
function boxStart(text: string, at: number): number {
  if (text.charCodeAt(at + 1) !== letterB || !text.startsWith("\\boxed", at)) return -1;
  let next = at + "\\boxed".length;
  if (text[next] === " ") next++;
  return text.charCodeAt(next) === openBrace ? next + 1 : -1;
}

function isListUnit(unit: number): boolean {
  const digit = unit >= 48 && unit <= 57;
  const punctuation = unit === comma || unit === wideComma || unit === 46 || unit === 47; // . and /
  return digit || punctuation || unit === 32 || (unit >= 9 && unit <= 13);
}

/** The numbers between the commas; looks no further than the first reason to fail. */
function readNumbers(list: string, count: number | undefined): number[] | "not-a-number" | "wrong-count" {
  const numbers: number[] = [];
  let start = 0;
  for (let at = 0; at <= list.length; at++) {
    const unit = list.charCodeAt(at);
    if (at < list.length && unit !== comma && unit !== wideComma) continue;
    if (numbers.length === count) return "wrong-count";
    const number = parseNumber(list.slice(start, at));
    if (number === null) return "not-a-number";
    numbers.push(number);
    start = at + 1;
  }
  return count === undefined || numbers.length === count ? numbers : "wrong-count";
}

/** Dressing that judges put around a number. Replaced by a space, so that two numbers never run together. */
const dressing = /\\(?:text|textbf|mathbf|mathrm|bf|left|right|quad|[ ,;!])|[[\](){}$*~]/g;

function parseNumber(entry: string): number | null {
  if (/^\s?\d{1,2}$/.test(entry)) return Number(entry);
  if (entry.length > 100) return null;
  const bare = entry.replace(dressing, " ").trim();
  const match = /^([+-]?\d{1,6}(?:\.\d{1,6})?)(?:\s*\/\s*10)?$/.exec(bare);
  return match === null ? null : Number(match[1]);
}
