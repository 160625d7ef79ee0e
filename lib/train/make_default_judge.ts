import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Grm } from "../judge.js";
import { loadAddon } from "../native.js";
import { defaultRecipe, judgeExamples } from "./default_judge.js";
import { writeGgufMetadata } from "./gguf_metadata.js";
import { heldOutItems } from "./held_out.js";
import { judgeVocabulary, wordGroups } from "./judge_vocabulary.js";
import { type JudgeFigures, measureJudge } from "./measure.js";
import { fileHash, fitMetaHead, type LabelledJudgement } from "./meta.js";
import { modelCard, recipeTraining } from "./model_card.js";
import type { NativeTrainer } from "./native.js";
import { compactPrompt, promptTokens } from "./prompt_tokens.js";
import { trainSft } from "./sft.js";
import { RequirementTask } from "./tasks/requirements.js";

export interface MakeOptions {
  outFolder: string;
  /** Where the vocabulary, the checkpoint and the log lie. */
  workFolder: string;
  heldOutItems: number;
  signal: AbortSignal;
  say: (line: string) => void;
}

/** Items whose judgements the meta RM learns from, and judgements of each. */
const metaItems = 2000;
const metaSamples = 8;
/** Training seeds that the supervised steps never reach. */
const metaSeed = 2 ** 36;

const manifest = { template: "compact", maxTokens: 256, sampling: { temperature: 1 } };

/** Trains, saves, measures and describes the default judge. Returns false when it was stopped before the end. */
export async function makeDefaultJudge(options: MakeOptions): Promise<boolean> {
  const { outFolder, workFolder, signal, say } = options;
  const modelPath = join(outFolder, "default.gguf");
  const trainer = await openTrainer(workFolder);
  const started = performance.now();
  const { finished } = await trainSft(trainer, judgeExamples(), {
    schedule: defaultRecipe.schedule,
    checkpointPath: checkpointIn(workFolder),
    logPath: join(workFolder, "sft.jsonl"),
    reportEvery: 100,
    signal,
    onReport: ({ step, steps, loss, tokensPerSecond, secondsLeft }) =>
      say(
        `sft ${step}/${steps}  loss ${loss.toFixed(4)}  ${Math.round(tokensPerSecond)} tokens/s  ` +
          `${Math.ceil(secondsLeft / 60)} min left`,
      ),
  });
  if (!finished) return false;
  const minutes = (performance.now() - started) / 60_000;
  await trainer.save(modelPath, "q8_0");
  await writeFile(join(outFolder, "default.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  await makeMetaHead(modelPath, outFolder, options);
  const figures = await measure(modelPath, options);
  await writeFile(
    join(outFolder, "README.md"),
    modelCard({
      figures,
      parameters: trainer.info.parameters,
      training: recipeTraining(minutes),
      metaItems,
      metaSamples,
    }),
  );
  return true;
}

function checkpointIn(folder: string): string {
  return join(folder, "checkpoint.gguf");
}

async function openTrainer(folder: string): Promise<NativeTrainer> {
  const { Trainer } = loadAddon();
  const { threads, shape, seed } = defaultRecipe;
  const checkpoint = checkpointIn(folder);
  if (existsSync(checkpoint)) return Trainer.open({ path: checkpoint, threads });
  const vocabulary = judgeVocabulary();
  const vocabularyPath = join(folder, "vocabulary.gguf");
  await writeGgufMetadata(vocabularyPath, vocabulary.toGguf());
  return Trainer.create({ vocabularyPath, shape, seed, threads, tokenGroups: wordGroups(vocabulary) });
}

/** Samples judgements with the engine, labels them by the checker and fits the fused meta RM on them. */
export async function makeMetaHead(
  modelPath: string,
  outFolder: string,
  { signal, say }: MakeOptions,
): Promise<void> {
  const addon = loadAddon();
  const vocabulary = judgeVocabulary();
  const task = new RequirementTask({ responseCounts: [0, 1, 0, 0] });
  const items = Array.from({ length: metaItems }, (_, index) => task.generate(metaSeed + index));
  const judgements: LabelledJudgement[] = [];
  const grm = await Grm.load({ model: modelPath, meta: null });
  try {
    let done = 0;
    const queries = items.map(({ query, responses }) => ({ query, responses }));
    for await (const { samples } of grm.judgeMany(queries, { k: metaSamples, logprobs: true, signal })) {
      const { query, responses, label } = items[done++]!;
      for (const { scores, order, tokenIds } of samples) {
        if (scores === null || tokenIds === undefined) continue;
        const shown = order.map((index) => responses[index]!);
        const right = scores.every((score, index) => index === label || score < scores[label!]!);
        judgements.push({
          prompt: promptTokens(vocabulary, compactPrompt(query, shown)),
          completion: tokenIds,
          label: right ? 1 : 0,
        });
      }
      if (done % 500 === 0) say(`meta  sampled ${done}/${items.length} items`);
    }
  } finally {
    await grm.close();
  }
  const trainer = await addon.Trainer.open({ path: modelPath, threads: defaultRecipe.threads });
  const { weight, bias, loss } = await fitMetaHead(addon, trainer, judgements);
  const right = judgements.filter(({ label }) => label === 1).length;
  say(`meta  ${judgements.length} judgements, ${right} right, loss ${loss.toFixed(4)}`);
  const backbone = await fileHash(modelPath);
  await addon.writeScoreHead(join(outFolder, "default.head.gguf"), { weight, bias, kind: "meta", backbone });
}

export async function measure(
  modelPath: string,
  { heldOutItems: count, signal, say }: MakeOptions,
): Promise<JudgeFigures> {
  const grm = await Grm.load({ model: modelPath });
  try {
    return await measureJudge(grm, heldOutItems(count), {
      ks: [1, 8, 32],
      seed: 0,
      signal,
      onProgress: (done, total) => {
        if (done % 500 === 0) say(`measured ${done}/${total}`);
      },
    });
  } finally {
    await grm.close();
  }
}
