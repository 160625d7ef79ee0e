import type { Random } from "../random.js";
import { type LineDraft, namedWords, plantRequirement, type Requirement } from "./requirement_kinds.js";
import { contentWords, fillerWords } from "./words.js";

/** One of the first `words` words of a list, in an order that mixes the alphabet. */
export function someWord(random: Random, list: readonly string[], words: number): string {
  return list[(random.integer(0, Math.min(words, list.length) - 1) * 367) % list.length] as string;
}

/**
 * Lines that each meet a requirement with probability `metShare`, share words, and do not tell their worth by their length.
 * What a line really meets is for the checker to say: planted words may meet or break one another's requirements.
 */
export function writeLines(
  random: Random,
  requirements: readonly Requirement[],
  count: number,
  words: number,
  metShare = 0.5,
): string[] {
  const named = requirements.flatMap(namedWords);
  const freeWord = () => {
    for (;;) {
      const word = someWord(random, random.chance(0.35) ? fillerWords : contentWords, words);
      if (!named.includes(word)) return word;
    }
  };
  const shared = Array.from({ length: 4 }, freeWord);
  return Array.from({ length: count }, () => {
    const draft: LineDraft = { chunks: [], ordered: [] };
    for (const requirement of requirements)
      plantRequirement(requirement, random.chance(metShare), draft, random);
    return punctuate(random, lineOf(random, draft, shared, freeWord), draft);
  });
}

function lineOf(
  random: Random,
  draft: LineDraft,
  shared: readonly string[],
  freeWord: () => string,
): string[] {
  const { chunks, first, last } = draft;
  const length = Math.max(random.integer(4, 10), chunks.flat().length + 2);
  while (chunks.flat().length < length - 2)
    chunks.push([random.chance(0.2) ? random.pick(shared) : freeWord()]);
  const mixed = random.shuffle(chunks);
  const edges = [first, last].map((edge) => edge ?? edgeWord(random, mixed, freeWord));
  const line = [edges[0]!, ...mixed.flat(), edges[1]!];
  for (const [earlier, later] of draft.ordered) putBefore(line, earlier, later);
  return line;
}

/** The first or last word of a line that is free there: now and then a word from its middle. */
function edgeWord(random: Random, chunks: string[][], freeWord: () => string): string {
  const replacement = freeWord();
  if (chunks.length < 2 || !random.chance(0.3)) return replacement;
  const at = random.integer(1, chunks.length - 1);
  const chunk = chunks[at]!;
  if (chunk.length > 1) return replacement;
  chunks[at] = [replacement];
  return chunk[0]!;
}

function putBefore(line: string[], earlier: string, later: string): void {
  const [at, other] = [line.indexOf(earlier), line.indexOf(later)];
  if (at > other) [line[at], line[other]] = [later, earlier];
}

function punctuate(random: Random, words: readonly string[], draft: LineDraft): string {
  const commaAt = draft.comma === true ? random.integer(1, words.length - 1) : -1;
  let line = "";
  for (const [index, word] of words.entries()) {
    const comma = index === commaAt || (draft.comma === undefined && random.chance(0.04));
    if (index > 0) line += comma ? ", " : " ";
    line += word;
  }
  if (draft.capital ?? random.chance(0.4)) line = capitalize(line);
  if (draft.questionMark ?? random.chance(0.1)) return `${line}?`;
  return random.chance(0.4) ? `${line}.` : line;
}

export function capitalize(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
