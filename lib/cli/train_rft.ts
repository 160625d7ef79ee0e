import { existsSync } from "node:fs";
import type { Command } from "commander";
import { SpctError } from "../errors.js";
import { Grm } from "../judge.js";
import { findModel } from "../models.js";
import { loadTemplate } from "../templates.js";
import { modelText } from "../train/conversations.js";
import { readConversations } from "../train/dataset.js";
import { writeTrainManifest } from "../train/manifest.js";
import { fileHash } from "../train/meta.js";
import type { TrainingDevice } from "../train/native.js";
import { type RftReport, type RftResult, rft } from "../train/rft.js";
import type { HintUse } from "../train/rft_samples.js";
import { type RlItem, taskRlItems } from "../train/rl_items.js";
import { openTrainer } from "../train/trainer.js";
import { readText, toInteger, toNumber } from "./arguments.js";
import { startProgress } from "./progress.js";
import type { Invocation, Terminal } from "./terminal.js";
import { describe as describeSft } from "./train.js";
import { itemsOf, namedTask } from "./train_rl.js";
import { stopOnInterrupt, toDevice, toMatrixType } from "./training.js";

interface RftFlags {
  model: string;
  data?: string;
  task?: string;
  items: number;
  out: string;
  type: "f32" | "f16" | "q8_0";
  template?: string;
  samples: number;
  hints: HintUse;
  rejection: boolean;
  temperature: number;
  maxTokens?: number;
  general?: string;
  generalShare?: number;
  epochs: number;
  batch: number;
  learningRate: number;
  warmup: number;
  seed: number;
  threads: number;
  device: TrainingDevice;
  checkpointEvery: number;
  log?: string;
  json?: boolean;
}

/** Training seeds of tasks that neither supervised training nor reinforcement learning reaches. */
const taskSeed = 2 ** 38;

export function registerTrainRft(train: Command, invocation: Invocation): void {
  train
    .command("rft")
    .summary("Fine-tune a judge on those of its own judgements that were right.")
    .description(
      "Rejective fine-tuning: the judge samples judgements of each item, one of them with the best response given away; those " +
        "that pick it are kept, unless all without the hint did, and are learnt without the hint.\n\n" +
        'The data is JSONL: {"query", "responses", "label"}, where the label is the index of the best response, or 1 or 0 for ' +
        "a single response that is correct or not. Beside the output lie all judgements (.samples.jsonl), the data set that " +
        "was learnt (.data.jsonl, as `spct train sft` reads it) and the manifest.\n" +
        "Ctrl-C saves, in the sampling as in the training; the same command continues. The paper's batch is 1024, its " +
        "learning rate 5e-6; the defaults suit small models.",
    )
    .requiredOption("--model <path>", "the GGUF to start from")
    .option("--data <path>", "items, one JSON object on a line")
    .option("--task <name>", "instead of data: requirements, a task that makes its own items")
    .option("--items <n>", "how many items of the task", toInteger, 1000)
    .requiredOption("--out <path>", "the GGUF to write")
    .option("--type <type>", "type of the written matrices: f32, f16 or q8_0", toMatrixType, "f16")
    .option("--template <name>", "prompt template (default: the model's)")
    .option("--samples <n>", "judgements of an item without the hint", toInteger, 3)
    .option("--hints <use>", "with, without, or only hinted judgements", "with")
    .option("--no-rejection", "keep all judgements, right or wrong")
    .option("--temperature <x>", "of the sampling", toNumber, 1)
    .option("--max-tokens <n>", "budget of a judgement (default: the model's)", toInteger)
    .option("--general <path>", "conversations to mix in, one JSON object on a line")
    .option("--general-share <x>", "their share of the data set (default: all of them)", toNumber)
    .option("--epochs <n>", "passes over the data set", toInteger, 1)
    .option("--batch <n>", "examples in a step", toInteger, 16)
    .option("--learning-rate <rate>", "peak of the learning rate", toNumber, 1e-4)
    .option("--warmup <n>", "steps until the peak", toInteger, 20)
    .option("--seed <n>", "of the sampling, and order of the data", toInteger, 0)
    .option("--threads <n>", "threads", toInteger, 2)
    .option("--device <name>", "what computes the training: cpu or gpu", toDevice, "cpu")
    .option("--checkpoint-every <n>", "steps between checkpoints", toInteger, 200)
    .option("--log <path>", "append a JSON line for each report")
    .option("--json", "print the result as JSON")
    .action(async (flags: RftFlags) => {
      invocation.exitCode = await trainRft(flags, invocation.terminal);
    });
}

async function trainRft(flags: RftFlags, terminal: Terminal): Promise<number> {
  const items = await trainingItems(flags);
  const conversations =
    flags.general === undefined ? undefined : readConversations(await readText(flags.general));
  const { modelPath, manifest } = await findModel(flags.model, null);
  const templateName = flags.template ?? manifest.template ?? "default";
  const checkpointPath = `${flags.out}.checkpoint`;
  const progress = startProgress(terminal, flags.json === true, "Loading the model");
  const stop = stopOnInterrupt();
  const open = async () => {
    const path = existsSync(checkpointPath) ? checkpointPath : modelPath;
    const trainer = await openTrainer({ path, threads: flags.threads, device: flags.device });
    return { trainer, text: await modelText(modelPath, trainer) };
  };
  let opened: Awaited<ReturnType<typeof open>> | undefined;
  try {
    const { samples, hints, rejection, temperature, epochs, batch, learningRate, warmup, seed } = flags;
    const result = await rft(
      {
        judge: () =>
          Grm.load({ model: modelPath, meta: null, template: templateName, threads: flags.threads }),
        trainer: async () => {
          opened = await open();
          return opened;
        },
      },
      {
        ...{ items, samples, hints, rejection, temperature, epochs, batch, learningRate, warmup, seed },
        template: await loadTemplate(templateName),
        maxTokens: flags.maxTokens,
        general: conversations && { conversations, share: flags.generalShare },
        samplesPath: `${flags.out}.samples.jsonl`,
        identity: await identityOf(flags, modelPath),
        dataPath: `${flags.out}.data.jsonl`,
        checkpointPath,
        checkpointEvery: flags.checkpointEvery,
        logPath: flags.log,
        signal: stop.signal,
        onReport: (report) => progress.say(describe(report)),
      },
    );
    if (result.finished) {
      await opened!.trainer.save(flags.out, flags.type);
      await writeTrainManifest(`${flags.out}.manifest.json`, {
        kind: "rft",
        options: { ...flags },
        seed,
        inputs: { model: modelPath, data: flags.data, general: flags.general },
        counts: { ...result.counts, steps: result.steps },
      });
    }
    progress.stop();
    terminal.print(
      flags.json ? JSON.stringify({ ...result, out: flags.out }) : describeEnd(result, flags, items.length),
    );
    return result.finished ? 0 : 1;
  } finally {
    stop.release();
    progress.stop();
  }
}

async function trainingItems({ data, task, items: count }: RftFlags): Promise<RlItem[]> {
  if ((data === undefined) === (task === undefined)) {
    throw new SpctError("INVALID_ARGUMENT", "Expected either --data or --task");
  }
  return data === undefined ? taskRlItems(namedTask(task!), taskSeed, count) : itemsOf(data);
}

/** The judgements are those of this model on this data. */
async function identityOf(
  { data, task }: RftFlags,
  modelPath: string,
): Promise<Record<string, string | undefined>> {
  return { model: await fileHash(modelPath), task, data: data && (await fileHash(data)) };
}

function describe(report: RftReport): string {
  if (report.phase === "training") return describeSft(report);
  const { done, total, right, secondsLeft } = report;
  const minutes = Math.ceil(secondsLeft / 60);
  return `Sampled ${done}/${total} items, ${Math.round(100 * right)}% right, ${minutes} min left before training`;
}

function describeEnd(result: RftResult, { out }: RftFlags, items: number): string {
  if (result.phase === "sampling")
    return `Stopped after ${result.items} of ${items} items; the same command continues from ${out}.samples.jsonl`;
  const { finished, steps, totalSteps, loss, counts } = result;
  if (!finished)
    return `Stopped after ${steps} of ${totalSteps} steps; the same command continues from ${out}.checkpoint`;
  const { own, hinted, tooEasy, general } = counts;
  const kept = `kept ${own.kept} of ${own.sampled} judgements and ${hinted.kept} of ${hinted.sampled} hinted ones`;
  return `${out}: ${counts.items} items, ${tooEasy} too easy; ${kept}; ${general} conversations; ${steps} steps, loss ${loss.toFixed(4)}`;
}
