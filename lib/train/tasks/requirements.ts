import { Random } from "../random.js";
import { drawIndex, scoresLine, shareToScore, writeJudgement } from "./requirement_judgement.js";
import {
  drawRequirement,
  kindPhrases,
  metShare,
  type Requirement,
  type RequirementKind,
  requirementName,
  requirementPhrasings,
} from "./requirement_kinds.js";
import { capitalize, someWord, writeLines } from "./requirement_lines.js";
import type { Task, TaskItem } from "./task.js";
import { contentWords } from "./words.js";

export interface RequirementItem extends TaskItem {
  requirements: Requirement[];
}

export interface RequirementOptions {
  /** Share of items with one, two, three and four responses. */
  responseCounts: readonly [number, number, number, number];
  /** How often a judgement looks at one, two, … five requirements, as far as there are so many. */
  principles: readonly number[];
  /** How often one principle is "prefer the longer line", which says nothing about the truth. */
  lengthBias: number;
  /** How many of the content words and of the filler words items are made of: a beginner learns with few. */
  words: number;
  /** Share of the queries in the judge's own wording ("mention river, avoid lamp"), the easiest to read. */
  plain: number;
  /** Whether there are order, arithmetic, facts and format besides words and lengths. */
  allKinds: boolean;
}

export const defaultRequirementOptions: RequirementOptions = {
  responseCounts: [0.1, 0.75, 0.1, 0.05],
  principles: [0.1, 0.25, 0.35, 0.2, 0.1],
  lengthBias: 0.3,
  words: contentWords.length,
  plain: 0.2,
  allKinds: true,
};

const importantWeight = 2;

const openers = [
  "Write one short line.",
  "Write a short line.",
  "Write one line.",
  "Write a line of words.",
  "Write a sentence.",
  "Give me one short line.",
  "Please write a short line.",
];
const emphases = ["(important)", "(important)", "(very important)", "(this is important)"];

/** Every piece of wording a query may contain, for a vocabulary. */
export const requirementPhrases: readonly string[] = [...openers, ...emphases, ...kindPhrases];

/**
 * Requirement checking. A query asks for one short line that meets three to six requirements of ten kinds (words, their place and
 * order, length, arithmetic, given facts, format), some of them important:
 *
 *   Write one short line. Mention river (important). Name cup before dog. Give the sum of 3 and 4.
 *
 * Responses are lines of everyday words. A response is worth the weighted share of the requirements it meets.
 */
export class RequirementTask implements Task<RequirementItem> {
  readonly name = "requirements";
  readonly options: RequirementOptions;

  constructor(options: Partial<RequirementOptions> = {}) {
    this.options = { ...defaultRequirementOptions, ...options };
  }

  generate(seed: number): RequirementItem {
    const random = new Random(seed);
    const { words, allKinds, plain, responseCounts } = this.options;
    const requirements = chooseRequirements(random, words, allKinds);
    const query = random.chance(plain) ? plainQuery(random, requirements) : phraseQuery(random, requirements);
    const count = drawIndex(random, responseCounts) + 1;
    const id = `requirements-${seed}`;
    for (;;) {
      const responses = writeLines(random, requirements, count, words);
      const truth = responses.map((line) => metShare(requirements, line));
      if (count === 1) return { id, query, responses, truth, label: null, subset: "single", requirements };
      const order = bestIn(random.integer(0, count - 1), truth);
      if (order === undefined) continue;
      return {
        id,
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
    return writeJudgement(new Random(seed), item.requirements, item.responses, this.options, "scores").text;
  }

  /** As `trajectory`, but ending in the number of the better of two responses. */
  pairwiseTrajectory(item: RequirementItem, seed: number): string {
    return writeJudgement(new Random(seed), item.requirements, item.responses, this.options, "winner").text;
  }

  /** A judgement by somebody who knows the best response: of a few drawn, the first that chooses it. */
  hintedTrajectory(item: RequirementItem, seed: number): string {
    const random = new Random(seed);
    const draw = () => writeJudgement(random, item.requirements, item.responses, this.options, "scores");
    let judgement = draw();
    for (let more = 0; more < 7 && !choosesBest(judgement.scores, item.label); more++) judgement = draw();
    return judgement.text;
  }

  /** The true scores and nothing else. */
  scoresOnly(item: RequirementItem): string {
    return scoresLine(item.truth.map(shareToScore));
  }

  /** A line that answers the query, most of its requirements met. */
  answer(item: RequirementItem, seed: number): string {
    return writeLines(new Random(seed), item.requirements, 1, this.options.words, 0.85)[0]!;
  }
}

function choosesBest(scores: readonly number[], label: number | null): boolean {
  return label === null || scores.every((score, index) => index === label || score < scores[label]!);
}

/** An order of the responses that puts the only best one at `position`; undefined when the best is tied. */
function bestIn(position: number, truth: readonly number[]): number[] | undefined {
  const best = Math.max(...truth);
  if (truth.filter((share) => share === best).length > 1) return undefined;
  const order = truth.map((_, index) => index).filter((index) => truth[index] !== best);
  order.splice(position, 0, truth.indexOf(best));
  return order;
}

function chooseRequirements(random: Random, words: number, allKinds: boolean): Requirement[] {
  const count = random.integer(3, 6);
  const kinds: RequirementKind[] = [];
  if (random.chance(allKinds ? 0.35 : 0.45)) kinds.push("begin");
  if (random.chance(allKinds ? 0.35 : 0.45)) kinds.push("end");
  if (random.chance(0.3)) kinds.push(random.pick(["most", "least"]));
  if (allKinds) {
    for (const kind of ["before", "sum", "fact", "format"] as const) if (random.chance(0.3)) kinds.push(kind);
  }
  while (kinds.length < count) kinds.push(random.chance(0.55) ? "mention" : "avoid");
  const taken = new Set<string>();
  const freshWord = () => {
    let word = someWord(random, contentWords, words);
    while (taken.has(word)) word = someWord(random, contentWords, words);
    taken.add(word);
    return word;
  };
  return random
    .shuffle(kinds)
    .slice(0, count)
    .map((kind) => drawRequirement(kind, random.chance(0.3) ? importantWeight : 1, random, freshWord));
}

function plainQuery(random: Random, requirements: readonly Requirement[]): string {
  const clauses = requirements.map((requirement) => {
    return requirementName(requirement) + (requirement.weight === importantWeight ? " (important)" : "");
  });
  return `${random.pick(openers).slice(0, -1)}: ${clauses.join(", ")}.`;
}

function phraseQuery(random: Random, requirements: readonly Requirement[]): string {
  const clauses = requirements.map((requirement) => {
    const emphasis = requirement.weight === importantWeight ? ` ${random.pick(emphases)}` : "";
    return random.pick(requirementPhrasings(requirement)) + emphasis;
  });
  const opener = random.pick(openers);
  if (random.chance(0.6)) return [opener, ...clauses.map((clause) => `${capitalize(clause)}.`)].join(" ");
  const last = clauses[clauses.length - 1];
  const list = `${clauses.slice(0, -1).join(", ")}${random.chance(0.5) ? " and " : ", and "}${last}.`;
  return random.chance(0.5) ? `${opener} ${capitalize(list)}` : `${opener.slice(0, -1)}: ${list}`;
}
