import { requirementPhrases } from "./tasks/requirements.js";
import { contentWords, fillerWords } from "./tasks/words.js";
import { Vocabulary } from "./vocabulary.js";

const formats = [
  "Query:\n",
  "Reference:\n",
  "Principles:\n",
  "Critique:\n",
  "Scores: \\boxed{",
  "Winner: \\boxed{",
  "Best:",
  "Scores only:\n",
  "Winner:\n",
  " prefer the longer line",
  " mention",
  " avoid",
  " begin with",
  " end with",
  " at most",
  " at least",
  " words",
  " before",
  " sum",
  " is",
  " use a",
  ": found",
  ": not found",
  " found",
  " not found",
  ": only",
  ": neither",
  ": says",
  ": not said",
  ": begins with",
  ": ends with",
  ", yes\n",
  ", no\n",
  " of",
  " (",
  ", ",
  ".\n",
];

function capitalize(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}

/** The vocabulary of the default judge: its task's words as they stand in a line, numbers, and the parts of its formats. */
export function judgeVocabulary(): Vocabulary {
  const pieces: string[] = [...formats];
  for (let response = 1; response <= 8; response++) pieces.push(`Response ${response}:\n`, `${response}.`);
  for (let weight = 1; weight <= 3; weight++) pieces.push(` (weight ${weight})\n`);
  for (let number = 0; number <= 20; number++) pieces.push(` ${number}`, `${number}`, `: ${number}`);
  const phraseWords = requirementPhrases
    .flatMap((phrase) => [phrase, capitalize(phrase)])
    .flatMap((phrase) => phrase.split(/[\s():.]+/))
    .filter((word) => word !== "");
  const lower = new Set([...contentWords, ...fillerWords, ...phraseWords.map((word) => word.toLowerCase())]);
  for (const word of phraseWords) pieces.push(` ${word}`);
  for (const word of lower) pieces.push(word, ` ${word}`, capitalize(word));
  return new Vocabulary(pieces);
}

/**
 * Tokens that stand for the same word ("river", " river", "River") carry the same group number, so that a trainer can
 * start them at nearly the same embedding; all others have a group of their own.
 */
export function wordGroups(vocabulary: Vocabulary): Int32Array {
  const groups = Int32Array.from({ length: vocabulary.size }, (_, id) => id);
  for (const piece of vocabulary.pieces) {
    const base = vocabulary.id(piece.trim().toLowerCase());
    const id = vocabulary.id(piece);
    if (base !== undefined && id !== undefined) groups[id] = base;
  }
  return groups;
}
