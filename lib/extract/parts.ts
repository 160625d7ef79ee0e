import type { Principle } from "../types.js";

/** The three labelled parts of a judgement. What was not found is empty. */
export interface JudgementParts {
  principles: Principle[];
  critique: string;
  scores: string;
}

type Part = "principles" | "critique" | "scores";

const headings: Record<string, Part> = {
  principles: "principles",
  criteria: "principles",
  "specific criteria": "principles",
  "specific principles": "principles",
  critique: "critique",
  critiques: "critique",
  analysis: "critique",
  evaluation: "critique",
  score: "scores",
  scores: "scores",
  "final scores": "scores",
  "final score": "scores",
  winner: "scores",
};

/** Splits a judgement into its parts, for showing it. Best effort: a judgement without headings is all critique. */
export function readParts(text: string): JudgementParts {
  const lines: Record<Part, string[]> = { principles: [], critique: [], scores: [] };
  for (const { part, line } of placedLines(text)) lines[part].push(line);
  return {
    principles: lines.principles.map(readPrinciple).filter((principle) => principle !== null),
    critique: lines.critique.join("\n").trim(),
    scores: lines.scores.join("\n").trim(),
  };
}

/** The principles that `readParts` finds, without the other parts. */
export function readPrinciples(text: string): Principle[] {
  const principles: Principle[] = [];
  for (const { part, line } of placedLines(text)) {
    const principle = part === "principles" ? readPrinciple(line) : null;
    if (principle !== null) principles.push(principle);
  }
  return principles;
}

function* placedLines(text: string): Generator<{ part: Part; line: string }> {
  let part: Part = "critique";
  for (const line of withoutThought(text).split(/\r?\n/)) {
    const heading = readHeading(line);
    if (heading !== null) part = heading.part;
    const rest = heading === null ? line : heading.rest;
    if (heading === null || rest !== "") yield { part, line: rest };
  }
}

/** What follows a think block. */
export function withoutThought(text: string): string {
  const close = "</think>";
  const end = text.lastIndexOf(close);
  return end < 0 ? text : text.slice(end + close.length);
}

const headingLine = new RegExp(
  `^\\s{0,8}[#*_\\d.)\\s]{0,12}(${Object.keys(headings).join("|")})[*_#\\s]{0,8}(?::(.*))?$`,
  "i",
);

/** `### Scores`, `**Scores:**`, `3. Scores:` and `Scores: \boxed{8, 5}` are headings; prose that starts with the word is not. */
function readHeading(line: string): { part: Part; rest: string } | null {
  const found = headingLine.exec(line);
  if (found === null) return null;
  const [, name, rest = ""] = found;
  return { part: headings[name!.toLowerCase()]!, rest: rest.replace(/^[*_\s]{1,8}/, "").trim() };
}

/** Where a weight may stand, the surest place first. Each match is cut out of the line. */
const weights = [
  /\(\s{0,2}(?:weight(?:ing)?\s{0,2}[:=]?\s{0,2})?(\d{1,3}(?:\.\d{1,3})?)\s{0,2}%?(?:\s{0,2}weight)?\s{0,2}\)/i,
  /[-–,;:[]?\s{0,2}\bweight(?:ing)?\s{0,2}[:=]?\s{0,2}(\d{1,3}(?:\.\d{1,3})?)\s{0,2}%?\]?/i,
  /[-–,;:[]?\s{0,2}\b(\d{1,3}(?:\.\d{1,3})?)\s{0,2}%\]?/,
];

/** `1. **Accuracy** (weight: 40%): says what is so` → name, weight 40, description. */
function readPrinciple(line: string): Principle | null {
  const body = line.replace(/^[\s*_#-]{0,12}(?:\d{1,3}[.)]\s{0,4})?[*_]{0,3}/, "").trimEnd();
  if (body === "") return null;
  for (const pattern of weights) {
    const match = pattern.exec(body);
    if (match === null || match.index === 0) continue;
    const before = body.slice(0, match.index);
    const after = body.slice(match.index + match[0].length);
    const named = splitName(before.includes(":") ? before + after : `${before}:${after}`);
    return { ...named, weight: Number(match[1]) };
  }
  return splitName(body);
}

function splitName(body: string): Principle {
  const colon = body.indexOf(":");
  const name = clean(colon < 0 ? body : body.slice(0, colon));
  const description = colon < 0 ? "" : clean(body.slice(colon + 1));
  return description === "" ? { name } : { name, description };
}

function clean(text: string): string {
  return text.replace(/^[\s*_:-]{1,12}/, "").replace(/[\s*_]{1,12}$/, "");
}
