import { existsSync } from "node:fs";
import { join } from "node:path";
import { Grm } from "../judge.js";
import { headBeside } from "../models.js";
import { loadAddon } from "../native.js";
import { loadTemplate } from "../templates.js";
import { epochs, modelText } from "./conversations.js";
import type { Conversation } from "./dataset.js";
import { defaultRecipe, judgeExamples } from "./default_judge.js";
import { writeGgufMetadata } from "./gguf_metadata.js";
import { judgeVocabulary, wordGroups } from "./judge_vocabulary.js";
import { type ItemJudgement, readItemJudgements, sampleJudgements } from "./judgements.js";
import { LiveJudge } from "./live_judge.js";
import { fileHash, fitMetaHead } from "./meta.js";
import { judgeExample, metaExample } from "./meta_examples.js";
import type { NativeTrainer } from "./native.js";
import { trainReward } from "./reward.js";
import { type RftCounts, type RftOptions, type RftReport, rft } from "./rft.js";
import { RftFile } from "./rft_file.js";
import { isTooEasy } from "./rft_rejection.js";
import { type RlOptions, type RlReport, type RlResult, trainRl } from "./rl.js";
import { type RlItem, taskRlItems } from "./rl_items.js";
import { trainSft } from "./sft.js";
import { RequirementTask } from "./tasks/requirements.js";
import { heldOutSeed } from "./tasks/task.js";

export interface StageOptions {
  /** Where checkpoints, samples and logs lie. */
  workFolder: string;
  signal: AbortSignal;
  say: (line: string) => void;
}

/** The stage was stopped and the same call continues it. */
export class Stopped extends Error {}

/** Training seeds that the base never reaches, apart for each stage. */
const seeds = {
  meta: 2 ** 36,
  rft: 2 ** 37,
  general: 2 ** 38,
  /** Held out, and none of those that the judge is measured on. */
  watched: heldOutSeed + 50_000,
};

const responseCounts = [0, 0.8, 0.12, 0.08] as const;
const minutes = (seconds: number) => `${Math.ceil(seconds / 60)} min left`;

/** The base: judgements written by the task's checker, from random weights. Ends with its weights at `path`. */
export async function makeBase(path: string, { workFolder, signal, say }: StageOptions): Promise<void> {
  if (existsSync(path)) return;
  const { threads, shape, seed, schedule } = defaultRecipe;
  const checkpointPath = join(workFolder, "base.checkpoint");
  const { Trainer } = loadAddon();
  const trainer = existsSync(checkpointPath)
    ? await Trainer.open({ path: checkpointPath, threads })
    : await Trainer.create({
        vocabularyPath: await writeVocabulary(workFolder),
        tokenGroups: wordGroups(judgeVocabulary()),
        ...{ shape, seed, threads },
      });
  const { finished } = await trainSft(trainer, judgeExamples(), {
    ...{ schedule, checkpointPath, signal },
    logPath: join(workFolder, "base.jsonl"),
    reportEvery: 100,
    onReport: ({ step, steps, loss, tokensPerSecond, secondsLeft }) =>
      say(
        `base  ${step}/${steps}, loss ${loss.toFixed(4)}, ${Math.round(tokensPerSecond)} tokens/s, ${minutes(secondsLeft)}`,
      ),
  });
  if (!finished) throw new Stopped();
  await trainer.save(path, "f32");
}

async function writeVocabulary(folder: string): Promise<string> {
  const path = join(folder, "vocabulary.gguf");
  await writeGgufMetadata(path, judgeVocabulary().toGguf());
  return path;
}

/** The items that rejective fine-tuning samples judgements of, and reinforcement after it. */
export function stageItems(): RlItem[] {
  return taskRlItems(new RequirementTask({ responseCounts }), seeds.rft, defaultRecipe.rft.items);
}

/** Rejective fine-tuning of the model at `from`, files named after `path`. Returns the counts of Eq. 10. */
export async function makeRft(
  from: string,
  path: string,
  { signal, say }: StageOptions,
  changes: Partial<RftOptions> = {},
): Promise<RftCounts> {
  const { seed, threads } = defaultRecipe;
  const { batch, learningRate, generalShare } = defaultRecipe.rft;
  const template = changes.template ?? (await loadTemplate("compact"));
  const checkpointPath = `${path}.checkpoint`;
  let trained: NativeTrainer | undefined;
  const result = await rft(
    {
      judge: () => Grm.load({ model: from, meta: null, template: template.name }),
      trainer: async () => {
        const source = existsSync(checkpointPath) ? checkpointPath : from;
        trained = await loadAddon().Trainer.open({ path: source, threads });
        return { trainer: trained, text: await modelText(from, trained) };
      },
    },
    {
      ...{ items: stageItems(), template, seed, batch, learningRate, checkpointPath, signal },
      general: { conversations: generalRows(1000), share: generalShare },
      maxTokens: 256,
      samplesPath: `${path}.samples.jsonl`,
      identity: { model: await fileHash(from) },
      dataPath: `${path}.data.jsonl`,
      logPath: `${path}.jsonl`,
      onReport: (report) => sayRft(report, say),
      ...changes,
    },
  );
  if (result.phase === "sampling" || !result.finished) throw new Stopped();
  await trained!.save(path, "f32");
  return result.counts;
}

function sayRft(report: RftReport, say: (line: string) => void): void {
  if (report.phase === "training") {
    const { step, steps, loss, secondsLeft } = report;
    if (step % 50 === 0) say(`rft   ${step}/${steps}, loss ${loss.toFixed(4)}, ${minutes(secondsLeft)}`);
  } else if (report.done % 500 === 0) {
    const { done, total, right, secondsLeft } = report;
    say(`rft   sampled ${done}/${total} items, ${Math.round(100 * right)} % right, ${minutes(secondsLeft)}`);
  }
}

/** Requests for a line and lines that answer them: what the base can do besides judging. */
function generalRows(count: number): Conversation[] {
  const task = new RequirementTask();
  return Array.from({ length: count }, (_, index) => {
    const item = task.generate(seeds.general + index);
    return {
      messages: [{ role: "user", content: item.query }],
      completion: task.answer(item, seeds.general + index),
    };
  });
}

/** Of `items`, those that a judge was not right about every time; `samplesPath` is what rejective fine-tuning sampled of them. */
export async function hardItems(items: readonly RlItem[], samplesPath: string): Promise<RlItem[]> {
  const sampled = await RftFile.read(samplesPath);
  const easy = new Set(sampled.filter(({ samples }) => isTooEasy(samples)).map(({ id }) => id));
  return items.filter(({ id }) => !easy.has(id));
}

/** Rule-based reinforcement of the model at `from` on `items`. */
export async function makeRl(
  from: string,
  path: string,
  items: readonly RlItem[],
  { signal, say }: StageOptions,
  changes: Partial<RlOptions> = {},
): Promise<RlResult> {
  const { seed, threads } = defaultRecipe;
  const { batchItems, groupSize, grpo, schedule } = defaultRecipe.rl;
  const checkpointPath = `${path}.checkpoint`;
  const { Trainer } = loadAddon();
  const source = existsSync(checkpointPath) ? checkpointPath : from;
  const trainer = await Trainer.open({ path: source, threads });
  const reference = await Trainer.open({ path: from, threads });
  const template = changes.template ?? (await loadTemplate("compact"));
  const judge = new LiveJudge(`${path}.live`, "f32", { template: template.name });
  try {
    const result = await trainRl(trainer, reference, {
      items: epochs(items, batchItems, seed),
      ...{ judge, template, schedule, seed, groupSize, grpo, checkpointPath, signal },
      text: await modelText(from, trainer),
      skipEven: true,
      maxTokens: 256,
      heldOut: {
        items: taskRlItems(new RequirementTask({ responseCounts: [0, 1, 0, 0] }), seeds.watched, 300),
        every: 20,
      },
      logPath: `${path}.jsonl`,
      onReport: (report) => say(describeRl(report)),
      ...changes,
    });
    if (!result.finished && result.collapsed === undefined) throw new Stopped();
    await trainer.save(path, "f32");
    return result;
  } finally {
    await judge.close();
  }
}

function describeRl(report: RlReport): string {
  const { step, steps, reward, kl, even, length, secondsLeft, heldOut } = report;
  const held = heldOut === undefined ? "" : `, held out ${(100 * heldOut.accuracy).toFixed(1)} %`;
  return (
    `rl    ${step}/${steps}, reward ${reward.toFixed(3)}, KL ${kl.toFixed(4)}, ${Math.round(100 * even)} % of groups even, ` +
    `${Math.round(length)} tokens${held}, ${minutes(secondsLeft)}`
  );
}

/** Judgements of the model at `path` that meta RMs learn from, of items that are in no other set. */
export async function sampleMetaJudgements(
  path: string,
  { workFolder, signal, say }: StageOptions,
): Promise<ItemJudgement[]> {
  const { items: count, samples: k } = defaultRecipe.meta;
  const items = taskRlItems(new RequirementTask({ responseCounts }), seeds.meta, count);
  const options = { k, seed: 0, maxTokens: 256, temperature: defaultRecipe.temperature };
  const grm = await Grm.load({ model: path, meta: null, template: "compact" });
  try {
    const identity = { model: await fileHash(path), items: count, ...options };
    const folder = join(workFolder, "meta.judgements");
    const judgements = await sampleJudgements(grm, items, folder, identity, {
      ...options,
      signal,
      onProgress: (done, total) => {
        if (done % 500 === 0) say(`meta  sampled ${done}/${total} items`);
      },
    });
    return (await readItemJudgements(judgements, items)).judgements;
  } catch (error) {
    throw signal.aborted ? new Stopped() : error;
  } finally {
    await grm.close();
  }
}

/** Fits a fused meta RM, a head on the last states of the model's own judgements. */
export async function makeMetaHead(
  model: string,
  judgements: readonly ItemJudgement[],
  { say }: StageOptions,
): Promise<void> {
  const addon = loadAddon();
  const trainer = await addon.Trainer.open({ path: model, threads: defaultRecipe.threads });
  const [text, template] = [await modelText(model, trainer), await loadTemplate("compact")];
  const examples = await Promise.all(judgements.map((one) => judgeExample(text, template, one)));
  const { weight, bias, loss } = await fitMetaHead(addon, trainer, examples);
  const right = judgements.filter(({ label }) => label === 1).length;
  say(`meta  ${judgements.length} judgements, ${right} right, loss of the head ${loss.toFixed(4)}`);
  const backbone = await fileHash(model);
  await addon.writeScoreHead(headBeside(model), { weight, bias, kind: "meta", backbone });
}

/** Trains a separate meta RM, all weights of the judge at `from` and a head, and writes it to `path`. */
export async function makeMetaRm(
  from: string,
  path: string,
  judgements: readonly ItemJudgement[],
  { workFolder, signal, say }: StageOptions,
): Promise<void> {
  const { threads, seed } = defaultRecipe;
  const { batch, epochs: passes, learningRate } = defaultRecipe.meta;
  const checkpointPath = join(workFolder, "meta.checkpoint");
  const source = existsSync(checkpointPath) ? checkpointPath : from;
  const trainer = await loadAddon().Trainer.open({ path: source, threads });
  const [text, template] = [await modelText(from, trainer), await loadTemplate("compact")];
  const examples = await Promise.all(judgements.map((one) => metaExample(text, template, one)));
  const steps = passes * Math.ceil(examples.length / batch);
  const { finished } = await trainReward(
    trainer,
    { loss: "bce", labelled: epochs(examples, batch, seed) },
    {
      schedule: { steps, peak: learningRate, warmup: 20, floor: 0.05 },
      ...{ checkpointPath, signal, logPath: join(workFolder, "meta.jsonl") },
      onReport: ({ step, loss, accuracy, secondsLeft }) =>
        say(
          `meta  ${step}/${steps}, loss ${loss.toFixed(3)}, accuracy ${accuracy!.toFixed(3)}, ${minutes(secondsLeft)}`,
        ),
    },
  );
  if (!finished) throw new Stopped();
  await trainer.save(path, "q8_0");
  await trainer.saveHead(headBeside(path), { kind: "meta", backbone: await fileHash(path) });
}
