import { Random } from "../random.js";
import type { Task, TaskItem } from "./task.js";
import { contentWords, fillerWords } from "./words.js";

/**
 * Requirement checking. A query asks for one short line that meets three to six requirements, some of them important:
 *
 *   Write one short line. Mention river (important). Avoid lamp. End with dog.
 *
 * Responses are lines of everyday words. A response is worth the weighted share of the requirements it meets.
 */
export type RequirementKind = "mention" | "avoid" | "begin" | "end" | "most" | "least";

export interface Requirement {
  kind: RequirementKind;
  /** The word it names, or the number of words for `most` and `least`. */
  value: string;
  weight: number;
}

export interface RequirementItem extends TaskItem {
  requirements: Requirement[];
}

export interface RequirementOptions {
  /** Share of items with one, two, three and four responses. */
  responseCounts: readonly [number, number, number, number];
  /** Requirements a judgement looks at. */
  principles: number;
  /** How often one principle is "prefer the longer line", which says nothing about the truth. */
  lengthBias: number;
  /** How many of the content words and of the filler words items are made of: a beginner learns with few. */
  words: number;
  /** Share of the queries in the judge's own wording ("mention river, avoid lamp"), the easiest to read. */
  plain: number;
}

export const defaultRequirementOptions: RequirementOptions = {
  responseCounts: [0.1, 0.75, 0.1, 0.05],
  principles: 3,
  lengthBias: 0.2,
  words: contentWords.length,
  plain: 0.2,
};

const importantWeight = 2;

const phrasings: Record<RequirementKind, readonly string[]> = {
  mention: ["mention", "use the word", "include", "include the word", "say", "talk about"],
  avoid: ["avoid", "do not use", "do not mention", "leave out", "never say", "avoid the word"],
  begin: ["begin with", "start with", "open with", "begin with the word", "start with the word"],
  end: ["end with", "finish with", "close with", "end with the word", "finish with the word"],
  most: ["use at most", "use no more than", "write at most"],
  least: ["use at least", "use no fewer than", "write at least"],
};
const openers = [
  "Write one short line.",
  "Write a short line.",
  "Write one line.",
  "Write a line of words.",
  "Write a sentence.",
  "Give me one short line.",
  "Please write a short line.",
];
const quotes = ["", "", "", '"', "'"] as const;
const emphases = ["(important)", "(important)", "(very important)", "(this is important)"];

/** Every piece of wording a query may contain, for a vocabulary. */
export const requirementPhrases: readonly string[] = [
  ...openers,
  ...emphases,
  ...Object.values(phrasings).flat(),
  "and words",
];

/** How a judgement names a requirement. */
export function requirementName({ kind, value }: Pick<Requirement, "kind" | "value">): string {
  switch (kind) {
    case "mention":
    case "avoid":
      return `${kind} ${value}`;
    case "begin":
    case "end":
      return `${kind} with ${value}`;
    case "most":
    case "least":
      return `at ${kind} ${value} words`;
  }
}

/** The words of a line, lower case, without punctuation. */
export function lineWords(line: string): string[] {
  return line.toLowerCase().match(/[\p{L}\p{N}]+(?:['’-][\p{L}\p{N}]+)*/gu) ?? [];
}

export function meetsRequirement(requirement: Pick<Requirement, "kind" | "value">, line: string): boolean {
  const words = lineWords(line);
  switch (requirement.kind) {
    case "mention":
      return words.includes(requirement.value);
    case "avoid":
      return !words.includes(requirement.value);
    case "begin":
      return words[0] === requirement.value;
    case "end":
      return words[words.length - 1] === requirement.value;
    case "most":
      return words.length <= Number(requirement.value);
    case "least":
      return words.length >= Number(requirement.value);
  }
}

/** What a judgement quotes from a line before it says whether the line meets the requirement. */
export function evidence({ kind, value }: Pick<Requirement, "kind" | "value">, line: string): string {
  const words = lineWords(line);
  switch (kind) {
    case "mention":
    case "avoid": {
      const at = words.indexOf(value);
      return at < 0 ? "not found" : `found ${words.slice(at, at + 2).join(" ")}`;
    }
    case "begin":
      return `begins with ${words[0] ?? "nothing"}`;
    case "end":
      return `ends with ${words[words.length - 1] ?? "nothing"}`;
    case "most":
    case "least":
      return `${words.length} words`;
  }
}

/** Weighted share of the requirements that `line` meets, in [0, 1]. */
export function metShare(requirements: readonly Requirement[], line: string): number {
  let met = 0;
  let total = 0;
  for (const requirement of requirements) {
    total += requirement.weight;
    if (meetsRequirement(requirement, line)) met += requirement.weight;
  }
  return met / total;
}

/** A share of met weight on the judge's scale of 1 to 10. */
export function shareToScore(share: number): number {
  return 1 + Math.round(9 * share);
}

export class RequirementTask implements Task<RequirementItem> {
  readonly name = "requirements";
  readonly options: RequirementOptions;

  constructor(options: Partial<RequirementOptions> = {}) {
    this.options = { ...defaultRequirementOptions, ...options };
  }

  generate(seed: number): RequirementItem {
    const random = new Random(seed);
    const requirements = chooseRequirements(random, this.options.words);
    const query = random.chance(this.options.plain)
      ? plainQuery(random, requirements)
      : phraseQuery(random, requirements);
    const count = chooseCount(random, this.options.responseCounts);
    for (;;) {
      const responses = writeLines(random, requirements, count, this.options.words);
      const truth = responses.map((line) => metShare(requirements, line));
      if (count === 1) {
        return {
          id: `requirements-${seed}`,
          query,
          responses,
          truth,
          label: null,
          subset: "single",
          requirements,
        };
      }
      const order = bestIn(random.integer(0, count - 1), truth);
      if (order === undefined) continue;
      return {
        id: `requirements-${seed}`,
        query,
        responses: order.map((index) => responses[index] as string),
        truth: order.map((index) => truth[index] as number),
        label: order.indexOf(truth.indexOf(Math.max(...truth))),
        subset: count === 2 ? `pair-${requirements.length}` : `list-${count}`,
        requirements,
      };
    }
  }

  trajectory(item: RequirementItem, seed: number): string {
    const random = new Random(seed);
    const chosen = random.shuffle(item.requirements).slice(0, this.options.principles);
    const principles: Principle[] = chosen.map((requirement) => ({
      name: requirementName(requirement),
      weight: requirement.weight,
      met: item.responses.map((line) => meetsRequirement(requirement, line)),
      evidence: item.responses.map((line) => evidence(requirement, line)),
    }));
    if (item.responses.length > 1 && random.chance(this.options.lengthBias)) {
      principles[random.integer(0, principles.length - 1)] = preferLonger(item.responses);
    }
    const total = principles.reduce((sum, { weight }) => sum + weight, 0);
    const sums = item.responses.map((_, index) =>
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
    lines.push(`Scores: \\boxed{${sums.map((sum) => shareToScore(sum / total)).join(", ")}}`);
    return lines.join("\n");
  }
}

interface Principle {
  name: string;
  weight: number;
  /** For each response. */
  met: boolean[];
  evidence: string[];
}

function preferLonger(responses: readonly string[]): Principle {
  const lengths = responses.map((line) => lineWords(line).length);
  const longest = Math.max(...lengths);
  return {
    name: "prefer the longer line",
    weight: importantWeight,
    met: lengths.map((length) => length === longest),
    evidence: lengths.map((length) => `${length} words`),
  };
}

function chooseCount(random: Random, shares: readonly number[]): number {
  let left = random.uniform() * shares.reduce((sum, share) => sum + share, 0);
  for (const [index, share] of shares.entries()) {
    left -= share;
    if (left < 0) return index + 1;
  }
  return shares.length;
}

/** An order of the responses that puts the only best one at `position`; undefined when the best is tied. */
function bestIn(position: number, truth: readonly number[]): number[] | undefined {
  const best = Math.max(...truth);
  if (truth.filter((share) => share === best).length > 1) return undefined;
  const order = truth.map((_, index) => index).filter((index) => truth[index] !== best);
  order.splice(position, 0, truth.indexOf(best));
  return order;
}

function chooseRequirements(random: Random, words: number): Requirement[] {
  const count = random.integer(3, 6);
  const kinds: RequirementKind[] = [];
  if (random.chance(0.45)) kinds.push("begin");
  if (random.chance(0.45)) kinds.push("end");
  if (random.chance(0.3)) kinds.push(random.pick(["most", "least"]));
  while (kinds.length < count) kinds.push(random.chance(0.55) ? "mention" : "avoid");
  const taken = new Set<string>();
  return random
    .shuffle(kinds)
    .slice(0, count)
    .map((kind) => {
      let value = String(random.integer(5, 9));
      if (kind !== "most" && kind !== "least") {
        do value = someWord(random, contentWords, words);
        while (taken.has(value));
        taken.add(value);
      }
      return { kind, value, weight: random.chance(0.3) ? importantWeight : 1 };
    });
}

function plainQuery(random: Random, requirements: readonly Requirement[]): string {
  const clauses = requirements.map((requirement) => {
    return requirementName(requirement) + (requirement.weight === importantWeight ? " (important)" : "");
  });
  return `${random.pick(openers).slice(0, -1)}: ${clauses.join(", ")}.`;
}

function phraseQuery(random: Random, requirements: readonly Requirement[]): string {
  const quote = random.pick(quotes);
  const clauses = requirements.map(({ kind, value, weight }) => {
    const object = kind === "most" || kind === "least" ? `${value} words` : `${quote}${value}${quote}`;
    const emphasis = weight === importantWeight ? ` ${random.pick(emphases)}` : "";
    return `${random.pick(phrasings[kind])} ${object}${emphasis}`;
  });
  const opener = random.pick(openers);
  if (random.chance(0.6)) return [opener, ...clauses.map((clause) => `${capitalize(clause)}.`)].join(" ");
  const last = clauses[clauses.length - 1];
  const list = `${clauses.slice(0, -1).join(", ")}${random.chance(0.5) ? " and " : ", and "}${last}.`;
  return random.chance(0.5) ? `${opener} ${capitalize(list)}` : `${opener.slice(0, -1)}: ${list}`;
}

function capitalize(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Lines that each meet about half of the requirements, share words, and do not tell their worth by their length. */
function writeLines(
  random: Random,
  requirements: readonly Requirement[],
  count: number,
  words: number,
): string[] {
  const named = requirements.map(({ value }) => value);
  const shared = Array.from({ length: 4 }, () => freeWord(random, named, words));
  return Array.from({ length: count }, () => writeLine(random, requirements, named, shared, words));
}

function writeLine(
  random: Random,
  requirements: readonly Requirement[],
  named: readonly string[],
  shared: readonly string[],
  words: number,
): string {
  const middle: string[] = [];
  let first: string | undefined;
  let last: string | undefined;
  for (const { kind, value } of requirements) {
    const met = random.chance(0.5);
    if (kind === "mention" && met) middle.push(value);
    if (kind === "avoid" && !met) middle.push(value);
    if (kind === "begin") {
      if (met) first = value;
      else if (random.chance(0.4)) middle.push(value);
    }
    if (kind === "end") {
      if (met) last = value;
      else if (random.chance(0.4)) middle.push(value);
    }
  }
  const length = Math.max(random.integer(4, 10), middle.length + 2);
  while (middle.length < length - 2)
    middle.push(random.chance(0.2) ? random.pick(shared) : freeWord(random, named, words));
  const line = random.shuffle(middle);
  line.unshift(first ?? edgeWord(random, line, named, words));
  line.push(last ?? edgeWord(random, line, named, words));
  return punctuate(random, line);
}

/** The first or last word of a line that need not begin or end with a certain word: now and then a word of a requirement. */
function edgeWord(random: Random, middle: string[], named: readonly string[], words: number): string {
  const replacement = freeWord(random, named, words);
  if (middle.length < 2 || !random.chance(0.3)) return replacement;
  const at = random.integer(1, middle.length - 1);
  const word = middle[at] as string;
  middle[at] = replacement;
  return word;
}

function freeWord(random: Random, named: readonly string[], words: number): string {
  for (;;) {
    const word = someWord(random, random.chance(0.35) ? fillerWords : contentWords, words);
    if (!named.includes(word)) return word;
  }
}

/** One of the first `words` words in an order that mixes the alphabet. */
function someWord(random: Random, list: readonly string[], words: number): string {
  return list[(random.integer(0, Math.min(words, list.length) - 1) * 367) % list.length] as string;
}

function punctuate(random: Random, words: readonly string[]): string {
  let line = "";
  for (const [index, word] of words.entries()) {
    if (index > 0) line += random.chance(0.04) ? ", " : " ";
    line += word;
  }
  if (random.chance(0.4)) line = capitalize(line);
  return random.chance(0.4) ? `${line}.` : line;
}
