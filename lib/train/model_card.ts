import type { Accuracy } from "./accuracy.js";
import { defaultRecipe } from "./default_judge.js";
import type { JudgeFigures } from "./measure.js";
import type { RftCounts } from "./rft.js";

export interface ModelCardFacts {
  figures: JudgeFigures;
  parameters: number;
  /** What rejective fine-tuning kept. */
  counts: RftCounts;
}

export function modelCard({ figures, parameters, counts }: ModelCardFacts): string {
  const { shape, schedule, batchItems, seed, rft, rl, meta, temperature } = defaultRecipe;
  const { own, hinted, tooEasy, general } = counts;
  const rows: [string, Accuracy][] = [["greedy", figures.greedy]];
  for (const [k, accuracy] of Object.entries(figures.voting)) rows.push([`voting @${k}`, accuracy]);
  for (const [k, accuracy] of Object.entries(figures.meta)) {
    if (k !== "1") rows.push([`meta RM voting @${k} (half kept)`, accuracy]);
  }
  return `# The default judge

\`default.gguf\` is a judge of ${(parameters / 1e6).toFixed(2)} million parameters that was trained in this repository, so that judging
works offline on the first run. \`default.meta.gguf\` and \`default.meta.head.gguf\` are its meta RM, a model of its own;
\`default.head.gguf\` is the fused one, a head on the judge's states, which \`meta: "fused"\` asks for. \`default.json\` is what the
judge recommends for itself, \`default-rft.gguf\` the judge before reinforcement. \`npm run train:default\` makes them from nothing.

## What it can judge

One task: whether a short line of everyday words meets requirements that the query names in plain words. There are ten
kinds: to mention or avoid a word, to begin or end with a word, to have at least or at most so many words, to name one
word before another, to give the sum of two small numbers, not to contradict a given fact (what colour something is), and
to use a comma, a question mark or a capital letter. Some requirements are important and count twice. It knows the words
of \`lib/train/tasks/words.ts\`. It cannot judge anything else: other questions get a well-formed but meaningless judgement.

\`\`\`
spct judge --query "Write one short line. Mention river (important). Avoid lamp. End with dog." \\
  --response "the river by the old lamp and a dog" --response "a lamp and a happy dog"
\`\`\`

A judgement picks some of the requirements at random, quotes what it found for each response, adds up the weights and
scores. The random choice is what voting averages out. Judgements of the base now and then hold the principle "prefer the
longer line", which says nothing about the truth: a bias put there on purpose for the later stages to remove.

## Figures

${figures.items} held-out pairs, votes at temperature ${temperature} (seeds from 2^40 on, best response balanced over positions), ties worth one half, 95 % Wilson intervals
(\`npm run reproduce\`; docs/results.md has the stages, ablations and baselines):

| | accuracy | interval |
|---|---|---|
${rows.map(([name, { accuracy, ci }]) => `| ${name} | ${accuracy.toFixed(3)} | ${ci[0].toFixed(3)} - ${ci[1].toFixed(3)} |`).join("\n")}

Samples without readable scores: ${(100 * figures.invalid).toFixed(2)} %.

## How it was made

Llama architecture, ${shape.layers} layers, width ${shape.embedding}, ${shape.heads} heads, matrices stored as Q8_0; a vocabulary of words with single bytes
for everything else. All by \`npm run train:default\`, seed ${seed} (\`lib/train/default_judge.ts\`); the floating-point operations of a
later build or another CPU may be ordered otherwise, so that its weights are not these bit by bit.

1. Base: ${schedule.steps} steps of ${batchItems} items from random weights, on judgements written by the task's checker, AdamW,
   learning rate ${schedule.peak} with half a cosine down; few words, plain wording and six kinds of requirements first.
2. Rejective fine-tuning: of ${counts.items} items (${tooEasy} too easy) ${own.kept} of ${own.sampled} sampled judgements were kept (${own.tooEasy} of easy items, ${own.wrong}
   wrong, ${own.unreadable} unreadable) and ${hinted.kept} of ${hinted.sampled} hinted ones; ${general} general rows mixed in; one pass, batch ${rft.batch}, peak ${rft.learningRate}.
3. Reinforcement: GRPO on the items that were not too easy, ${rl.schedule.steps} steps of ${rl.batchItems} items with ${rl.groupSize} judgements each, beta ${rl.grpo.beta},
   peak ${rl.schedule.peak}; groups of equal rewards left out.
4. Meta RMs: ${meta.samples} judgements of each of ${meta.items} items that are in no other set, at temperature ${temperature}, binary cross-entropy against
   whether a judgement was right. The separate one starts from the judge's weights and trains them all, passes: ${meta.epochs}, batch ${meta.batch},
   peak ${meta.learningRate}; the fused one is a linear head on the judge's last hidden state.
`;
}
