import { createWriteStream } from "node:fs";
import { appendFile, rename } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { invalidArgument, SpctError } from "../errors.js";
import type { Grm } from "../judge.js";
import {
  choice,
  flag,
  integer,
  number,
  optional,
  type Reader,
  readOptions,
  withDefault,
} from "../options.js";
import type { PromptTemplate } from "../prompt/template.js";
import { epochs, type ModelText, toExample } from "./conversations.js";
import type { Conversation } from "./dataset.js";
import type { NativeTrainer } from "./native.js";
import { drawGeneral, toGeneralRow, toRow, toSampledExample } from "./rft_data.js";
import { RftFile, type RftIdentity } from "./rft_file.js";
import { type KeptSample, type RejectionCounts, reject } from "./rft_rejection.js";
import { type HintUse, sampleItems } from "./rft_samples.js";
import type { RlItem } from "./rl_items.js";
import { type SftReport, trainSft } from "./sft.js";

export interface RftOptions {
  items: readonly RlItem[];
  /** The judge's. */
  template: PromptTemplate;
  /** Judgements of an item without a hint. Default 3, the paper's N_RFT. */
  samples?: number;
  /** Whether an item is also judged with its best response given away. Default "with". */
  hints?: HintUse;
  /** Whether wrong judgements and easy items are dropped. Default true. */
  rejection?: boolean;
  /** Of the sampling, which is not cut. Default 1. */
  temperature?: number;
  /** Budget of a judgement. Default: the judge's. */
  maxTokens?: number;
  /** Conversations that are mixed in, so that the model forgets less. `share` is theirs of the data set, in [0, 1); default: all
   * of them. */
  general?: { conversations: readonly Conversation[]; share?: number };
  /** Of the sampling and of the data's order. */
  seed: number;
  /** Passes over the data set. Default 1. */
  epochs?: number;
  /** Examples in a step. Default 16. */
  batch?: number;
  /** Peak of the learning rate. Default 1e-4. */
  learningRate?: number;
  /** Steps until the peak. Default 20. */
  warmup?: number;
  /** All judgements, right and wrong, one item on a line. A run goes on from what an earlier one left here. */
  samplesPath: string;
  /** What of the run's input the judgements depend on, such as hashes of the model and of the items. */
  identity?: RftIdentity;
  /** The data set that is learnt; `spct train sft` reads it. */
  dataPath: string;
  checkpointPath: string;
  /** Steps between checkpoints. Default 200. */
  checkpointEvery?: number;
  /** JSONL, one line for each hundred items and every ten steps. */
  logPath?: string;
  signal?: AbortSignal;
  onReport?: (report: RftReport) => void;
}

export interface SamplingReport {
  phase: "sampling";
  /** Items. */
  done: number;
  total: number;
  /** Share of this process's judgements that were right. */
  right: number;
  /** Of the sampling. */
  secondsLeft: number;
}

export type RftReport = SamplingReport | ({ phase: "training" } & SftReport);

export interface RftCounts extends RejectionCounts {
  /** Conversations mixed in. */
  general: number;
}

export type RftResult =
  | { finished: false; phase: "sampling"; items: number }
  | {
      finished: boolean;
      phase: "training";
      counts: RftCounts;
      steps: number;
      totalSteps: number;
      loss: number;
    };

/** What a run opens when it needs it: the judge only while it samples, the trainer afterwards. */
export interface RftModels {
  judge: () => Promise<Grm>;
  /** From the checkpoint, if there is one. */
  trainer: () => Promise<{ trainer: NativeTrainer; text: ModelText }>;
}

const shareBelowOne: Reader<number> = (given, name) => {
  const value = number(0, 1)(given, name);
  if (value === 1) throw invalidArgument(name, "a number of at least 0 and below 1", given);
  return value;
};

const readers = {
  samples: withDefault(integer(1), 3),
  hints: withDefault(choice("with", "without", "only"), "with"),
  rejection: withDefault(flag, true),
  temperature: withDefault(number(0), 1),
  epochs: withDefault(integer(1), 1),
  batch: withDefault(integer(1), 16),
  learningRate: withDefault(number(0), 1e-4),
  warmup: withDefault(integer(0), 20),
  seed: integer(0, 2 ** 51),
  checkpointEvery: withDefault(integer(1), 200),
  generalShare: optional(shareBelowOne),
};

function readSettings(options: RftOptions) {
  const { samples, hints, rejection, temperature, epochs, batch, learningRate, warmup, seed } = options;
  const { checkpointEvery, general } = options;
  return readOptions(readers, {
    ...{ samples, hints, rejection, temperature, epochs, batch, learningRate, warmup, seed },
    ...{ checkpointEvery, generalShare: general?.share },
  });
}

/**
 * Rejective fine-tuning (section 3.2 of the paper): the judge samples judgements of each item, some with the best response given
 * away; those that choose it are kept, unless the item is too easy, and learnt as they were sampled, without the hint. An aborted
 * signal ends either phase with everything saved; the same call continues it. Rejects with INVALID_ARGUMENT, RUN_MISMATCH when
 * `samplesPath` is of another run, NOTHING_TO_LEARN when no judgement is left, or what failed in the judge or the trainer.
 */
export async function rft(models: RftModels, options: RftOptions): Promise<RftResult> {
  const { items, signal } = options;
  const settings = readSettings(options);
  if (items.length === 0) throw invalidArgument("items", "at least one item", items);
  const file = await sample(models, options, settings);
  if (file.items.length < items.length)
    return { finished: false, phase: "sampling", items: file.items.length };
  const { kept, counts: rejected } = reject(file.items, settings.rejection);
  if (kept.length === 0) throw nothingToLearn(rejected);
  const { conversations = [] } = options.general ?? {};
  const general = drawGeneral(conversations, settings.generalShare, kept.length, settings.seed);
  await writeData(options, kept, general);
  const { trainer, text } = await models.trainer();
  const judgements = kept.map((one) => toSampledExample(text, options.template, items, one));
  const examples = await Promise.all([...judgements, ...general.map((one) => toExample(text, one))]);
  const steps = settings.epochs * Math.ceil(examples.length / settings.batch);
  const result = await trainSft(trainer, epochs(examples, settings.batch, settings.seed), {
    schedule: { steps, peak: settings.learningRate, warmup: settings.warmup, floor: 0 },
    checkpointPath: options.checkpointPath,
    checkpointEvery: settings.checkpointEvery,
    logPath: options.logPath,
    reportEvery: 10,
    signal,
    onReport: (report) => options.onReport?.({ phase: "training", ...report }),
  });
  return {
    ...result,
    phase: "training",
    counts: { ...rejected, general: general.length },
    totalSteps: steps,
  };
}

/** Samples what no earlier run has; ends early with an aborted signal. */
async function sample(
  models: RftModels,
  options: RftOptions,
  settings: ReturnType<typeof readSettings>,
): Promise<RftFile> {
  const { items, template, maxTokens, logPath, signal } = options;
  const { samples, hints, temperature, seed } = settings;
  const how = { seed, samples, hints, temperature, maxTokens: maxTokens ?? null };
  const identity = { ...options.identity, ...how, template: template.name, items: items.length };
  const file = await RftFile.open(options.samplesPath, identity);
  for (const [index, { id }] of file.items.entries()) {
    if (id !== items[index]?.id)
      throw new SpctError("RUN_MISMATCH", `${options.samplesPath} is of another run (item ${id})`);
  }
  const first = file.items.length;
  if (first === items.length || signal?.aborted) return file;
  const grm = await models.judge();
  const start = performance.now();
  let sampled = 0;
  let right = 0;
  try {
    for await (const item of sampleItems(grm, items, first, { ...settings, maxTokens, signal })) {
      await file.append(item);
      sampled += item.samples.length;
      right += item.samples.filter(({ reward }) => reward === 1).length;
      const done = file.items.length;
      const secondsLeft = ((performance.now() - start) / 1000 / (done - first)) * (items.length - done);
      const report: SamplingReport = {
        ...{ phase: "sampling", done, total: items.length },
        ...{ right: right / Math.max(1, sampled), secondsLeft },
      };
      options.onReport?.(report);
      if (logPath !== undefined && (done % 100 === 0 || done === items.length))
        await appendFile(logPath, `${JSON.stringify(report)}\n`);
    }
  } catch (error) {
    if (!signal?.aborted || !(error instanceof SpctError && error.code === "CANCELLED")) throw error;
  } finally {
    await grm.close();
  }
  return file;
}

/** Writes the data set whole or not at all; the same judgements give the same bytes. */
async function writeData(
  { items, template, dataPath }: RftOptions,
  kept: readonly KeptSample[],
  general: readonly Conversation[],
): Promise<void> {
  function* lines() {
    for (const one of kept) yield `${JSON.stringify(toRow(template, items, one))}\n`;
    for (const one of general) yield `${JSON.stringify(toGeneralRow(one))}\n`;
  }
  await pipeline(lines, createWriteStream(`${dataPath}.part`));
  await rename(`${dataPath}.part`, dataPath);
}

function nothingToLearn({ items, tooEasy, tooLong, own, hinted }: RejectionCounts): SpctError {
  const wrong = own.wrong + hinted.wrong;
  const unreadable = own.unreadable + hinted.unreadable;
  return new SpctError(
    "NOTHING_TO_LEARN",
    `No judgement is left of ${items} items: ${tooEasy} too easy, ${tooLong} too long; of the other judgements ${wrong} wrong, ` +
      `${unreadable} without scores`,
  );
}
