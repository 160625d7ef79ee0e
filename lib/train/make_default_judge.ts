import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Grm } from "../judge.js";
import { type Manifest, manifestBeside } from "../models.js";
import { loadAddon } from "../native.js";
import { defaultRecipe } from "./default_judge.js";
import {
  hardItems,
  makeBase,
  makeMetaHead,
  makeMetaRm,
  makeRft,
  makeRl,
  type StageOptions,
  sampleMetaJudgements,
  stageItems,
} from "./default_stages.js";
import { heldOutItems } from "./held_out.js";
import { type JudgeFigures, measureJudge } from "./measure.js";
import { modelCard } from "./model_card.js";

export interface MakeOptions extends StageOptions {
  outFolder: string;
  heldOutItems: number;
}

const manifest = {
  template: "compact",
  maxTokens: 256,
  sampling: { temperature: defaultRecipe.temperature },
};

/**
 * Trains, saves, measures and describes the default judge. What is there of an earlier call is gone on from. Throws Stopped when
 * the signal ended it.
 */
export async function makeDefaultJudge(options: MakeOptions): Promise<void> {
  const { outFolder, workFolder, say } = options;
  const [base, rft, rl] = ["base", "rft", "rl"].map((stage) => join(workFolder, `${stage}.gguf`)) as [
    string,
    string,
    string,
  ];
  await makeBase(base, options);
  const counts = await makeRft(base, rft, options);
  if (!existsSync(rl)) {
    const items = await hardItems(stageItems(), `${rft}.samples.jsonl`);
    const { collapsed } = await makeRl(rft, rl, items, options);
    if (collapsed !== undefined) say(`rl    ended early: ${collapsed}`);
  }
  const judge = join(outFolder, "default.gguf");
  await quantize(rl, judge);
  await quantize(rft, join(outFolder, "default-rft.gguf"));
  await writeManifest(judge, manifest);
  const judgements = await sampleMetaJudgements(judge, options);
  await makeMetaHead(judge, judgements, options);
  const metaRm = join(outFolder, "default.meta.gguf");
  await makeMetaRm(rl, metaRm, judgements, options);
  await writeManifest(metaRm, { template: manifest.template });
  const figures = await measure(judge, options);
  const parameters = await quantizedParameters(judge);
  await writeFile(join(outFolder, "README.md"), modelCard({ figures, parameters, counts }));
}

async function writeManifest(modelPath: string, content: Manifest): Promise<void> {
  await writeFile(manifestBeside(modelPath), `${JSON.stringify(content, null, 2)}\n`);
}

async function quantize(from: string, to: string): Promise<void> {
  const trainer = await loadAddon().Trainer.open({ path: from, threads: defaultRecipe.threads });
  await trainer.save(to, "q8_0");
}

async function quantizedParameters(path: string): Promise<number> {
  const trainer = await loadAddon().Trainer.open({ path, threads: 1 });
  return trainer.info.parameters;
}

async function measure(
  model: string,
  { heldOutItems: count, signal, say }: MakeOptions,
): Promise<JudgeFigures> {
  const grm = await Grm.load({ model });
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
