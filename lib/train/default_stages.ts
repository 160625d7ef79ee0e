import { existsSync } from "node:fs";
import { join } from "node:path";
import { Grm } from "../judge.js";
import { loadAddon } from "../native.js";
import { loadTemplate } from "../templates.js";
import { epochs, modelText } from "./conversations.js";
import type { Conversation } from "./dataset.js";
import { defaultRecipe, judgeExamples } from "./default_judge.js";
import { writeGgufMetadata } from "./gguf_metadata.js";
import { judgeVocabulary, wordGroups } from "./judge_vocabulary.js";
import { LiveJudge } from "./live_judge.js";
import { fileHash, fitMetaHead, type LabelledJudgement } from "./meta.js";
import type { NativeTrainer } from "./native.js";
import { compactPrompt, promptTokens } from "./prompt_tokens.js";
import { type RftCounts, type RftOptions, type RftReport, rft } from "./rft.js";
import { RftFile } from "./rft_file.js";
import { isTooEasy } from "./rft_rejection.js";
import { type RlOptions, type RlReport, type RlResult, trainRl } from "./rl.js";
import { type RlItem, ruleReward, taskRlItems } from "./rl_items.js";
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

/** Samples judgements with the engine, labels them by the checker and fits the fused meta RM on them. */
export async function makeMetaHead(
  model: string,
  headPath: string,
  { signal, say }: StageOptions,
): Promise<void> {
  const { items: count, samples: k } = defaultRecipe.meta;
  const addon = loadAddon();
  const vocabulary = judgeVocabulary();
  const items = taskRlItems(new RequirementTask({ responseCounts }), seeds.meta, count);
  const judgements: LabelledJudgement[] = [];
  const grm = await Grm.load({ model, meta: null, template: "compact" });
  try {
    let done = 0;
    const options = { k, logprobs: true, maxTokens: 256, temperature: 1, signal };
    for await (const { samples } of grm.judgeMany(
      items.map(({ query, responses }) => ({ query, responses })),
      options,
    )) {
      const { query, responses, label } = items[done++]!;
      for (const { scores, order, tokenIds } of samples) {
        if (scores === null || tokenIds === undefined) continue;
        const shown = order.map((index) => responses[index]!);
        judgements.push({
          prompt: promptTokens(vocabulary, compactPrompt(query as string, shown)),
          completion: tokenIds,
          label: ruleReward(scores, label) === 1 ? 1 : 0,
        });
      }
      if (done % 500 === 0) say(`meta  sampled ${done}/${items.length} items`);
    }
  } finally {
    await grm.close();
  }
  const trainer = await addon.Trainer.open({ path: model, threads: defaultRecipe.threads });
  const { weight, bias, loss } = await fitMetaHead(addon, trainer, judgements);
  const right = judgements.filter(({ label }) => label === 1).length;
  say(`meta  ${judgements.length} judgements, ${right} right, loss ${loss.toFixed(4)}`);
  const backbone = await fileHash(model);
  await addon.writeScoreHead(headPath, { weight, bias, kind: "meta", backbone });
}
