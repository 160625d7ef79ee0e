import type { Random } from "../random.js";

/** One thing a query asks of a line. What `value` and `other` hold is each kind's own. */
export interface Requirement {
  kind: RequirementKind;
  value: string;
  other?: string;
  weight: number;
}

export type RequirementKind = (typeof requirementKinds)[number];

export const requirementKinds = [
  "mention",
  "avoid",
  "begin",
  "end",
  "most",
  "least",
  "before",
  "sum",
  "fact",
  "format",
] as const;

/** A line while it is being written: words that stay together, and what is fixed about its ends and marks. */
export interface LineDraft {
  first?: string;
  last?: string;
  chunks: string[][];
  /** Words whose order in the line is settled. */
  ordered: [string, string][];
  questionMark?: boolean;
  comma?: boolean;
  capital?: boolean;
}

type Condition = Pick<Requirement, "value" | "other">;

interface KindRules {
  draw(random: Random, freshWord: () => string): Condition;
  /** How a judgement names it, and how the easiest queries do. */
  name(condition: Condition): string;
  phrasings(condition: Condition): string[];
  meets(condition: Condition, line: string): boolean;
  /** What a judgement quotes from a line before it says whether the line meets the requirement. */
  evidence(condition: Condition, line: string): string;
  /** Writes into a line what makes it meet the requirement, or not. */
  plant(condition: Condition, met: boolean, draft: LineDraft, random: Random): void;
}

const colors = ["black", "blue", "brown", "gray", "green", "pink", "purple", "red", "white", "yellow"];
const formats: Record<string, { found: RegExp; draft: "questionMark" | "comma" | "capital" }> = {
  "question mark": { found: /\?/, draft: "questionMark" },
  comma: { found: /,/, draft: "comma" },
  "capital letter": { found: /\p{Lu}/u, draft: "capital" },
};

/** The words of a line, lower case, without punctuation. */
export function lineWords(line: string): string[] {
  return line.toLowerCase().match(/[\p{L}\p{N}]+(?:['’-][\p{L}\p{N}]+)*/gu) ?? [];
}

function found(word: string, line: string): string {
  const words = lineWords(line);
  const at = words.indexOf(word);
  return at < 0 ? "not found" : `found ${words.slice(at, at + 2).join(" ")}`;
}

/** What a line says that `thing` is, if it says so at all. */
function said(thing: string, line: string): string | undefined {
  const words = lineWords(line);
  const at = words.findIndex((word, index) => word === thing && words[index + 1] === "is");
  return at < 0 ? undefined : words[at + 2];
}

function countOfWords({ value }: Condition): string {
  return `${value} words`;
}

function drawWord(_random: Random, freshWord: () => string): Condition {
  return { value: freshWord() };
}

function drawLength(random: Random): Condition {
  return { value: String(random.integer(5, 9)) };
}

const rules: Record<RequirementKind, KindRules> = {
  mention: {
    draw: drawWord,
    name: ({ value }) => `mention ${value}`,
    phrasings: ({ value }) =>
      ["mention", "use the word", "include", "include the word", "say", "talk about"].map(
        (verb) => `${verb} ${value}`,
      ),
    meets: ({ value }, line) => lineWords(line).includes(value),
    evidence: ({ value }, line) => found(value, line),
    plant: ({ value }, met, { chunks }) => {
      if (met) chunks.push([value]);
    },
  },
  avoid: {
    draw: drawWord,
    name: ({ value }) => `avoid ${value}`,
    phrasings: ({ value }) =>
      ["avoid", "do not use", "do not mention", "leave out", "never say", "avoid the word"].map(
        (verb) => `${verb} ${value}`,
      ),
    meets: ({ value }, line) => !lineWords(line).includes(value),
    evidence: ({ value }, line) => found(value, line),
    plant: ({ value }, met, { chunks }) => {
      if (!met) chunks.push([value]);
    },
  },
  begin: {
    draw: drawWord,
    name: ({ value }) => `begin with ${value}`,
    phrasings: ({ value }) =>
      ["begin with", "start with", "open with", "begin with the word", "start with the word"].map(
        (verb) => `${verb} ${value}`,
      ),
    meets: ({ value }, line) => lineWords(line)[0] === value,
    evidence: (_condition, line) => `begins with ${lineWords(line)[0] ?? "nothing"}`,
    plant: ({ value }, met, draft, random) => {
      if (met) draft.first = value;
      else if (random.chance(0.4)) draft.chunks.push([value]);
    },
  },
  end: {
    draw: drawWord,
    name: ({ value }) => `end with ${value}`,
    phrasings: ({ value }) =>
      ["end with", "finish with", "close with", "end with the word", "finish with the word"].map(
        (verb) => `${verb} ${value}`,
      ),
    meets: ({ value }, line) => lineWords(line).at(-1) === value,
    evidence: (_condition, line) => `ends with ${lineWords(line).at(-1) ?? "nothing"}`,
    plant: ({ value }, met, draft, random) => {
      if (met) draft.last = value;
      else if (random.chance(0.4)) draft.chunks.push([value]);
    },
  },
  most: {
    draw: drawLength,
    name: (condition) => `at most ${countOfWords(condition)}`,
    phrasings: (condition) =>
      ["use at most", "use no more than", "write at most"].map(
        (verb) => `${verb} ${countOfWords(condition)}`,
      ),
    meets: ({ value }, line) => lineWords(line).length <= Number(value),
    evidence: (_condition, line) => `${lineWords(line).length} words`,
    plant: () => {},
  },
  least: {
    draw: drawLength,
    name: (condition) => `at least ${countOfWords(condition)}`,
    phrasings: (condition) =>
      ["use at least", "use no fewer than", "write at least"].map(
        (verb) => `${verb} ${countOfWords(condition)}`,
      ),
    meets: ({ value }, line) => lineWords(line).length >= Number(value),
    evidence: (_condition, line) => `${lineWords(line).length} words`,
    plant: () => {},
  },
  before: {
    draw: (_random, freshWord) => ({ value: freshWord(), other: freshWord() }),
    name: ({ value, other }) => `${value} before ${other}`,
    phrasings: ({ value, other }) => [
      `name ${value} before ${other}`,
      `put ${value} before ${other}`,
      `mention ${value} before ${other}`,
    ],
    meets: ({ value, other }, line) => {
      const words = lineWords(line);
      return words.includes(value) && words.indexOf(value) < words.indexOf(other!);
    },
    evidence: ({ value, other }, line) => {
      const words = lineWords(line);
      const present = [value, other!].filter((word) => words.includes(word));
      if (present.length === 0) return "neither";
      if (present.length === 1) return `only ${present[0]}`;
      return present.sort((a, b) => words.indexOf(a) - words.indexOf(b)).join(" then ");
    },
    plant: ({ value, other }, met, { chunks, ordered }, random) => {
      if (!met && random.chance(0.4)) {
        if (random.chance(0.7)) chunks.push([random.pick([value, other!])]);
        return;
      }
      chunks.push([value], [other!]);
      ordered.push(met ? [value, other!] : [other!, value]);
    },
  },
  sum: {
    draw: (random) => ({ value: String(random.integer(2, 9)), other: String(random.integer(2, 9)) }),
    name: ({ value, other }) => `sum ${value} and ${other}`,
    phrasings: ({ value, other }) => [
      `give the sum of ${value} and ${other}`,
      `say what ${value} and ${other} make`,
      `name the sum of ${value} and ${other}`,
    ],
    meets: (condition, line) => lineWords(line).includes(sumOf(condition)),
    evidence: (condition, line) => {
      const sum = sumOf(condition);
      return `${sum} ${lineWords(line).includes(sum) ? "found" : "not found"}`;
    },
    plant: (condition, met, { chunks }, random) => {
      const sum = Number(sumOf(condition));
      if (met) chunks.push([String(sum)]);
      else if (random.chance(0.7)) chunks.push([String(sum + random.pick([-2, -1, 1, 2]))]);
    },
  },
  fact: {
    draw: (random, freshWord) => {
      let thing = freshWord();
      while (colors.includes(thing)) thing = freshWord();
      return { value: thing, other: random.pick(colors) };
    },
    name: ({ value, other }) => `${value} is ${other}`,
    phrasings: ({ value, other }) => [
      `remember that the ${value} is ${other}`,
      `do not deny that the ${value} is ${other}`,
      `know that the ${value} is ${other}`,
    ],
    meets: ({ value, other }, line) => {
      const color = said(value, line);
      return color === undefined || color === other;
    },
    evidence: ({ value }, line) => {
      const color = said(value, line);
      return color === undefined ? "not said" : `says ${value} is ${color}`;
    },
    plant: ({ value, other }, met, { chunks }, random) => {
      if (met && random.chance(0.5)) return;
      chunks.push([value, "is", met ? other! : random.pick(colors.filter((color) => color !== other))]);
    },
  },
  format: {
    draw: (random) => ({ value: random.pick(Object.keys(formats)) }),
    name: ({ value }) => `use a ${value}`,
    phrasings: ({ value }) => [`use a ${value}`, `include a ${value}`, `write a ${value}`],
    meets: ({ value }, line) => formats[value]!.found.test(line),
    evidence: ({ value }, line) => (formats[value]!.found.test(line) ? "found" : "not found"),
    plant: ({ value }, met, draft) => {
      draft[formats[value]!.draft] = met;
    },
  },
};

function sumOf({ value, other }: Condition): string {
  return String(Number(value) + Number(other));
}

/** `freshWord` gives a word that no other requirement of the query names. */
export function drawRequirement(
  kind: RequirementKind,
  weight: number,
  random: Random,
  freshWord: () => string,
): Requirement {
  return { kind, ...rules[kind].draw(random, freshWord), weight };
}

export function requirementName(requirement: Omit<Requirement, "weight">): string {
  return rules[requirement.kind].name(requirement);
}

export function requirementPhrasings(requirement: Omit<Requirement, "weight">): string[] {
  return rules[requirement.kind].phrasings(requirement);
}

export function meetsRequirement(requirement: Omit<Requirement, "weight">, line: string): boolean {
  return rules[requirement.kind].meets(requirement, line);
}

export function evidence(requirement: Omit<Requirement, "weight">, line: string): string {
  return rules[requirement.kind].evidence(requirement, line);
}

export function plantRequirement(
  requirement: Requirement,
  met: boolean,
  draft: LineDraft,
  random: Random,
): void {
  rules[requirement.kind].plant(requirement, met, draft, random);
}

/** The words that a requirement names. */
export function namedWords({ value, other }: Requirement): string[] {
  return other === undefined ? [value] : [value, other];
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

/** The wording of all kinds without the words they are about, for a vocabulary. */
export const kindPhrases: readonly string[] = requirementKinds
  .flatMap((kind) => {
    const condition = { kind, value: kind === "format" ? "comma" : "", other: "" };
    return [requirementName(condition), ...requirementPhrasings(condition)];
  })
  .concat(Object.keys(formats));
