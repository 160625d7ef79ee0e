import type { Command } from "commander";
import { invalidArgument, SpctError } from "../errors.js";
import { Grm } from "../judge.js";
import { findModel, type ModelFiles } from "../models.js";
import { loadAddon } from "../native.js";
import { loadTemplate } from "../templates.js";
import { accuracyOf } from "../train/accuracy.js";
import { epochs, type ModelText, modelText } from "../train/conversations.js";
import {
  type ItemJudgement,
  type ReadJudgements,
  readItemJudgements,
  sampleJudgements,
} from "../train/judgements.js";
import { writeTrainManifest } from "../train/manifest.js";
import { fileHash, fitMetaHead, type LabelledJudgement, metaValues } from "../train/meta.js";
import { judgeExample, metaExample, splitByItem } from "../train/meta_examples.js";
import type { NativeTrainer } from "../train/native.js";
import { rewardsOf } from "../train/reward.js";
import { type RlItem, taskRlItems } from "../train/rl_items.js";
import { rocAuc } from "../vote/metrics.js";
import { toInteger, toNumber } from "./arguments.js";
import { bar, startProgress } from "./progress.js";
import { type BackboneFlags, backboneOptions, type RewardRecipe, trainBackbone } from "./reward_training.js";
import type { Invocation, Terminal } from "./terminal.js";
import { itemsOf, namedTask } from "./train_rl.js";
import { stopOnInterrupt } from "./training.js";

interface MetaFlags extends BackboneFlags {
  model: string;
  data?: string;
  task?: string;
  taskItems: number;
  judgements?: string;
  separate?: boolean;
  backbone?: string;
  template?: string;
  metaTemplate?: string;
  samples: number;
  temperature?: number;
  maxTokens?: number;
  heldOut: number;
  epochs: number;
}

/** Training seeds of tasks that no other recipe reaches. */
const taskSeed = 2 ** 39;

export function registerTrainMeta(train: Command, invocation: Invocation): void {
  const command = train
    .command("meta")
    .summary("Train a meta RM: which judgements are right.")
    .description(
      "Train a meta RM by binary cross-entropy on judgements of labelled items, right (they pick the best response) or wrong.\n\n" +
        "--fused (the default) fits a linear head on the judge's own last state and writes a head file. --separate trains a " +
        "model of its own, all weights and a head, that reads the judgement as the assistant's turn.\n" +
        'The data is JSONL: {"query", "responses", "label", "id"?}. The judgements are sampled into <out>.judgements, or given ' +
        "as a judgements.jsonl whose ids are those of the data. Ctrl-C keeps what there is; the same command continues.",
    )
    .requiredOption("--model <path>", "the judge")
    .option("--data <path>", "items, one JSON object on a line")
    .option("--task <name>", "instead of data: requirements, a task that makes its own items")
    .option("--task-items <n>", "how many items of the task", toInteger, 500)
    .option("--judgements <path>", "recorded judgements of the data, instead of sampling")
    .option("--fused", "fit a head on the frozen judge (the default)")
    .option("--separate", "train a separate meta RM")
    .option("--backbone <path>", "with --separate: the GGUF to start from (default: the judge)")
    .option("--template <name>", "prompt template of the judge (default: the model's)")
    .option(
      "--meta-template <name>",
      "with --separate: what the meta RM reads (default: the backbone's, else meta)",
    )
    .option("-k, --samples <n>", "judgements of an item", toInteger, 8)
    .option("--temperature <t>", "of the sampling (default: the model's)", toNumber)
    .option("--max-tokens <n>", "budget of a judgement (default: the model's)", toInteger)
    .option("--held-out <share>", "share of the items that is measured on instead", toNumber, 0.1)
    .option("--epochs <n>", "with --separate: passes over the judgements", toInteger, 1);
  backboneOptions(command).action(async (flags: MetaFlags & { fused?: boolean }) => {
    if (flags.fused && (flags.separate || flags.backbone !== undefined))
      throw new SpctError("INVALID_ARGUMENT", "Expected either --fused or --separate");
    invocation.exitCode = await meta(flags, invocation.terminal);
  });
}

async function meta(flags: MetaFlags, terminal: Terminal): Promise<number> {
  checkFlags(flags);
  const files = await findModel(flags.model, null);
  const items = flags.data === undefined ? taskItems(flags) : await itemsOf(flags.data);
  const path = flags.judgements ?? (await sample(flags, files, items, terminal));
  if (path === undefined) return 1;
  const read = await readItemJudgements(path, items);
  if (read.judgements.length === 0) {
    throw new SpctError("BAD_RECORD", `${path} holds no judgement with scores of an item of the data`);
  }
  return flags.separate ? separate(flags, path, read, terminal) : fused(flags, files, path, read, terminal);
}

function checkFlags(flags: MetaFlags): void {
  for (const name of ["samples", "taskItems", "epochs"] as const) {
    if (flags[name] < 1) throw invalidArgument(name, "an integer of at least 1", flags[name]);
  }
  if (!(flags.heldOut >= 0 && flags.heldOut < 1)) {
    throw invalidArgument("held-out", "a share from 0 to below 1", flags.heldOut);
  }
  if ((flags.data === undefined) === (flags.task === undefined)) {
    throw new SpctError("INVALID_ARGUMENT", "Expected either --data or --task");
  }
  if (flags.judgements !== undefined && flags.data === undefined) {
    throw new SpctError("INVALID_ARGUMENT", "Expected the items of --judgements as --data");
  }
  if (flags.backbone !== undefined && !flags.separate) {
    throw new SpctError("INVALID_ARGUMENT", "Expected --separate with --backbone");
  }
}

function taskItems({ task, taskItems: count }: MetaFlags): RlItem[] {
  return taskRlItems(namedTask(task!), taskSeed, count);
}

/** The path of the judgements, or undefined when interrupted. */
async function sample(
  flags: MetaFlags,
  { modelPath, manifest }: ModelFiles,
  items: RlItem[],
  terminal: Terminal,
): Promise<string | undefined> {
  const { samples: k, seed, temperature, maxTokens, threads } = flags;
  const template = flags.template ?? manifest.template ?? "default";
  const folder = `${flags.out}.judgements`;
  const progress = startProgress(terminal, flags.json === true, "Loading the judge");
  const stop = stopOnInterrupt();
  const grm = await Grm.load({ model: flags.model, meta: null, template, threads });
  try {
    const data = flags.data === undefined ? [flags.task, flags.taskItems] : await fileHash(flags.data);
    const identity = { model: await fileHash(modelPath), template, data, k, seed, temperature, maxTokens };
    const start = performance.now();
    let first: number | undefined;
    return await sampleJudgements(grm, items, folder, identity, {
      ...{ k, seed, temperature, maxTokens, signal: stop.signal },
      onProgress: (done, total) => {
        first ??= done - 1;
        const left = ((performance.now() - start) / (done - first)) * (total - done);
        progress.say(`Judging ${bar(done, total)}, ${Math.ceil(left / 60_000)} min left`);
      },
    });
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    progress.stop();
    terminal.print(
      flags.json
        ? JSON.stringify({ finished: false, judgements: folder, out: flags.out })
        : `Stopped; the same command continues from ${folder}`,
    );
    return undefined;
  } finally {
    stop.release();
    progress.stop();
    await grm.close();
  }
}

async function fused(
  flags: MetaFlags,
  { modelPath, manifest }: ModelFiles,
  path: string,
  read: ReadJudgements,
  terminal: Terminal,
): Promise<number> {
  const progress = startProgress(terminal, flags.json === true, "Loading the judge");
  try {
    const addon = loadAddon();
    const trainer = await addon.Trainer.open({
      path: modelPath,
      threads: flags.threads,
      device: flags.device,
    });
    const text = await modelText(modelPath, trainer);
    const template = await loadTemplate(flags.template ?? manifest.template ?? "default");
    const make = (judgement: ItemJudgement) => judgeExample(text, template, judgement);
    const length = ({ prompt, completion }: LabelledJudgement) => prompt.length + completion.length;
    const { training, heldOut, counts } = await examplesOf(flags, read, make, length, trainer.info.context);
    const { weight, bias, loss } = await fitMetaHead(addon, trainer, training, {
      onProgress: (done, total) => progress.say(`Reading states ${bar(done, total)}`),
    });
    await addon.writeScoreHead(flags.out, {
      weight,
      bias,
      kind: "meta",
      backbone: await fileHash(modelPath),
    });
    const values = await metaValues(trainer, { weight, bias }, heldOut);
    const figures = { loss, counts, heldOut: measure(values, heldOut) };
    await writeTrainManifest(`${flags.out}.manifest.json`, {
      kind: "meta-fused",
      options: { ...flags },
      seed: flags.seed,
      inputs: { model: modelPath, data: flags.data, judgements: path },
      counts: { ...counts, heldOut: figures.heldOut },
    });
    progress.stop();
    terminal.print(
      flags.json
        ? JSON.stringify({ finished: true, ...figures, out: flags.out })
        : `${flags.out}: ${counts.judgements} judgements, ${counts.right} right, loss ${loss.toFixed(4)}; ` +
            `held out: ${JSON.stringify(figures.heldOut)}`,
    );
    return 0;
  } finally {
    progress.stop();
  }
}

async function separate(
  flags: MetaFlags,
  path: string,
  read: ReadJudgements,
  terminal: Terminal,
): Promise<number> {
  const { modelPath, manifest } = await findModel(flags.backbone ?? flags.model, null);
  const name = flags.metaTemplate ?? manifest.template ?? "meta";
  const template = await loadTemplate(name);
  const prepare = async (trainer: NativeTrainer, text: ModelText): Promise<RewardRecipe> => {
    const make = (judgement: ItemJudgement) => metaExample(text, template, judgement);
    const { context } = trainer.info;
    const found = await examplesOf(flags, read, make, ({ sequence }) => sequence.length, context);
    const { training, heldOut, counts } = found;
    return {
      source: { loss: "bce", labelled: epochs(training, flags.batch, flags.seed) },
      steps: flags.epochs * Math.ceil(training.length / flags.batch),
      measure: async (trained) => {
        const sequences = heldOut.map(({ sequence }) => sequence);
        return measure(await rewardsOf(trained, sequences), heldOut);
      },
      counts,
    };
  };
  const inputs = { model: flags.model === "default" ? undefined : flags.model, backbone: modelPath };
  const run = {
    ...{ modelPath, kind: "meta-separate", head: "meta" as const, template: name, prepare },
    inputs: { ...inputs, data: flags.data, judgements: path },
  };
  return trainBackbone(flags, run, terminal);
}

async function examplesOf<Example extends { label: number }>(
  { heldOut: share, seed }: MetaFlags,
  { judgements, unscored, unknown }: ReadJudgements,
  make: (judgement: ItemJudgement) => Promise<Example>,
  lengthOf: (example: Example) => number,
  context: number,
): Promise<{ training: Example[]; heldOut: Example[]; counts: Record<string, number> }> {
  const split = splitByItem(judgements, share, seed);
  const fitting = async (part: ItemJudgement[]) =>
    (await Promise.all(part.map(make))).filter((example) => lengthOf(example) <= context);
  const [training, heldOut] = [await fitting(split.training), await fitting(split.heldOut)];
  const tooLong = judgements.length - training.length - heldOut.length;
  if (training.length === 0) {
    throw new SpctError(
      "CONTEXT_OVERFLOW",
      `None of the judgements fits into a context of ${context} tokens`,
    );
  }
  const right = training.filter(({ label }) => label === 1).length;
  const counts = { judgements: training.length, right, heldOut: heldOut.length, tooLong, unscored, unknown };
  return { training, heldOut, counts };
}

/** How well values tell right judgements from wrong ones; null without any. */
function measure(values: readonly number[], judgements: readonly { label: number }[]) {
  if (values.length === 0) return null;
  const right = values.filter((value, index) =>
    judgements[index]!.label === 1 ? value > 0 : value < 0,
  ).length;
  const auc = rocAuc(
    values,
    judgements.map(({ label }) => label === 1),
  );
  return { ...accuracyOf(right, values.length), auc };
}
