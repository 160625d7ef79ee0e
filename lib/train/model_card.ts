import type { Accuracy } from "./accuracy.js";
import { defaultRecipe } from "./default_judge.js";
import type { JudgeFigures } from "./measure.js";

export interface ModelCardFacts {
  figures: JudgeFigures;
  parameters: number;
  /** How the weights came about, from the first step on. */
  training: string;
  metaItems: number;
  metaSamples: number;
}

export function modelCard({ figures, parameters, training, metaItems, metaSamples }: ModelCardFacts): string {
  const { shape } = defaultRecipe;
  const rows: [string, Accuracy][] = [["greedy", figures.greedy]];
  for (const [k, accuracy] of Object.entries(figures.voting)) rows.push([`voting @${k}`, accuracy]);
  for (const [k, accuracy] of Object.entries(figures.meta)) {
    if (k !== "1") rows.push([`meta RM voting @${k} (half kept)`, accuracy]);
  }
  return `# The default judge

\`default.gguf\` is a judge of ${(parameters / 1e6).toFixed(2)} million parameters that was trained in this repository, so that judging
works offline on the first run. \`default.head.gguf\` is its fused meta RM, \`default.json\` what it recommends for itself.
\`npm run train:default\` makes such files from nothing.

## What it can judge

One task: whether a short line of everyday words meets requirements that the query names in plain words: to mention
or avoid a word, to begin or end with a word, to have at least or at most so many words; some of them important. It
knows the words of \`lib/train/tasks/words.ts\`. It cannot judge anything else: other questions get a well-formed but
meaningless judgement.

\`\`\`
spct judge --query "Write one short line. Mention river (important). Avoid lamp. End with dog." \\
  --response "the river by the old lamp and a dog" --response "a lamp and a happy dog"
\`\`\`

A judgement picks three of the requirements at random, quotes what it found for each response, adds up the weights and
scores. The random choice is what voting averages out. In about one of five judgements one principle is "prefer the
longer line", which says nothing about the truth: a bias put there on purpose for the meta RM and for reinforcement
learning to remove.

## Figures

${figures.items} held-out pairs (seeds from 2^40 on, best response balanced over positions), ties worth one half, 95 % Wilson intervals:

| | accuracy | interval |
|---|---|---|
${rows.map(([name, { accuracy, ci }]) => `| ${name} | ${accuracy.toFixed(3)} | ${ci[0].toFixed(3)} - ${ci[1].toFixed(3)} |`).join("\n")}

Samples without readable scores: ${(100 * figures.invalid).toFixed(2)} %.

## How it was made

- Llama architecture, ${shape.layers} layers, width ${shape.embedding}, ${shape.heads} heads, matrices stored as Q8_0; a vocabulary of words with single bytes
  for everything else.
- Supervised fine-tuning from random weights on judgements written by the task's checker: ${training}
- Meta RM: a linear head on the judge's own last hidden state, binary cross-entropy on ${metaSamples} sampled judgements of
  each of ${metaItems} items that are in neither set.
`;
}

/** The steps of the recipe, for the card of a judge that it made. */
export function recipeTraining(minutes: number): string {
  const { schedule, batchItems, seed, threads } = defaultRecipe;
  return (
    `\`npm run train:default\`, seed ${seed}: ${schedule.steps} steps of\n  ${batchItems} items, AdamW, learning rate ` +
    `${schedule.peak} with half a cosine down; few words and plain wording first\n  ` +
    `(\`lib/train/default_judge.ts\`). ${Math.round(minutes)} minutes on ${threads} threads in the last run.`
  );
}
