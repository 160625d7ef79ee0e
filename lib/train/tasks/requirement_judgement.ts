import type { Random } from "../random.js";
import {
  evidence,
  lineWords,
  meetsRequirement,
  type Requirement,
  requirementName,
} from "./requirement_kinds.js";

interface Principle {
  name: string;
  weight: number;
  /** For each response. */
  met: boolean[];
  evidence: string[];
}

export interface Judgement {
  text: string;
  /** On the scale of 1 to 10. */
  scores: number[];
}

export interface JudgementOptions {
  /** How often one to five principles are looked at, as far as there are requirements. */
  principles: readonly number[];
  /** How often one principle is "prefer the longer line", which says nothing about the truth. */
  lengthBias: number;
}

/** A share of met weight on the judge's scale of 1 to 10. */
export function shareToScore(share: number): number {
  return 1 + Math.round(9 * share);
}

/** Principles drawn from the requirements, each checked against each response, and the scores, or who wins, that follow. */
export function writeJudgement(
  random: Random,
  requirements: readonly Requirement[],
  responses: readonly string[],
  { principles: counts, lengthBias }: JudgementOptions,
  verdict: "scores" | "winner",
): Judgement {
  const chosen = random.shuffle(requirements).slice(0, drawIndex(random, counts) + 1);
  const principles: Principle[] = chosen.map((requirement) => ({
    name: requirementName(requirement),
    weight: requirement.weight,
    met: responses.map((line) => meetsRequirement(requirement, line)),
    evidence: responses.map((line) => evidence(requirement, line)),
  }));
  if (responses.length > 1 && random.chance(lengthBias)) {
    principles[random.integer(0, principles.length - 1)] = preferLonger(responses);
  }
  const total = principles.reduce((sum, { weight }) => sum + weight, 0);
  const sums = responses.map((_, index) =>
    principles.reduce((sum, { weight, met }) => sum + (met[index] ? weight : 0), 0),
  );
  const lines = ["Principles:"];
  for (const [index, { name, weight }] of principles.entries())
    lines.push(`${index + 1}. ${name} (weight ${weight})`);
  lines.push("Critique:");
  for (const [response, sum] of sums.entries()) {
    lines.push(`Response ${response + 1}:`);
    for (const [index, { name, met, evidence }] of principles.entries()) {
      lines.push(`${index + 1}. ${name}: ${evidence[response]}, ${met[response] ? "yes" : "no"}`);
    }
    lines.push(`${sum} of ${total}`);
  }
  const scores = sums.map((sum) => shareToScore(sum / total));
  lines.push(verdict === "scores" ? scoresLine(scores) : `Winner: \\boxed{${winnerOf(random, sums)}}`);
  return { text: lines.join("\n"), scores };
}

export function scoresLine(scores: readonly number[]): string {
  return `Scores: \\boxed{${scores.join(", ")}}`;
}

function winnerOf(random: Random, sums: readonly number[]): number {
  const best = Math.max(...sums);
  return 1 + random.pick([...sums.keys()].filter((index) => sums[index] === best));
}

function preferLonger(responses: readonly string[]): Principle {
  const lengths = responses.map((line) => lineWords(line).length);
  const longest = Math.max(...lengths);
  return {
    name: "prefer the longer line",
    weight: 2,
    met: lengths.map((length) => length === longest),
    evidence: lengths.map((length) => `${length} words`),
  };
}

/** An index drawn with the given frequencies. */
export function drawIndex(random: Random, frequencies: readonly number[]): number {
  let left = random.uniform() * frequencies.reduce((sum, frequency) => sum + frequency, 0);
  for (const [index, frequency] of frequencies.entries()) {
    left -= frequency;
    if (left < 0) return index;
  }
  return frequencies.length - 1;
}
