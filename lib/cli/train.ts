import { existsSync } from "node:fs";
import type { Command } from "commander";
import { SpctError } from "../errors.js";
import { loadAddon } from "../native.js";
import { epochs, modelText, toExample } from "../train/conversations.js";
import { readConversations } from "../train/dataset.js";
import { writeTrainManifest } from "../train/manifest.js";
import type { TrainingDevice } from "../train/native.js";
import { type SftReport, trainSft } from "../train/sft.js";
import { readText, toInteger, toNumber } from "./arguments.js";
import { startProgress } from "./progress.js";
import type { Invocation, Terminal } from "./terminal.js";
import { registerTrainExport } from "./train_export.js";
import { registerTrainImportHead } from "./train_import_head.js";
import { registerTrainMeta } from "./train_meta.js";
import { registerTrainReward } from "./train_reward.js";
import { registerTrainRft } from "./train_rft.js";
import { registerTrainRl } from "./train_rl.js";
import { stopOnInterrupt, toDevice, toMatrixType } from "./training.js";

interface SftFlags {
  model: string;
  data: string;
  out: string;
  type: "f32" | "f16" | "q8_0";
  epochs: number;
  batch: number;
  learningRate: number;
  warmup: number;
  seed: number;
  threads: number;
  device: TrainingDevice;
  checkpointEvery: number;
  loraRank?: number;
  loraAlpha?: number;
  loraAdapter?: boolean;
  log?: string;
  json?: boolean;
}

export function registerTrain(program: Command, invocation: Invocation): void {
  const train = program.command("train").description("Train a judge.");
  train
    .command("sft")
    .summary("Fine-tune a model on conversations.")
    .description(
      "Fine-tune all weights of a model, or adapters (LoRA) beside them, on conversations; only the last turn is learnt.\n\n" +
        'The data is JSONL: {"messages": [{"role", "content"}, ...]} or {"prompt": [...], "completion": [...]}.\n' +
        "Ctrl-C saves a checkpoint beside the output; the same command continues from it.",
    )
    .requiredOption("--model <path>", "the GGUF to start from")
    .requiredOption("--data <path>", "conversations, one JSON object on a line")
    .requiredOption("--out <path>", "the GGUF to write")
    .option("--type <type>", "type of the written matrices: f32, f16 or q8_0", toMatrixType, "f16")
    .option("--epochs <n>", "passes over the data", toInteger, 1)
    .option("--batch <n>", "conversations in a step", toInteger, 16)
    .option("--learning-rate <rate>", "peak of the learning rate", toNumber, 1e-4)
    .option("--warmup <n>", "steps until the peak", toInteger, 20)
    .option("--seed <n>", "order of the data", toInteger, 0)
    .option("--threads <n>", "threads", toInteger, 2)
    .option("--device <name>", "what computes the training: cpu or gpu", toDevice, "cpu")
    .option("--checkpoint-every <n>", "steps between checkpoints", toInteger, 200)
    .option("--lora-rank <n>", "train adapters of this rank and leave the model as it is", toInteger)
    .option("--lora-alpha <x>", "strength of the adapters; default twice the rank", toNumber)
    .option("--lora-adapter", "write the adapters alone, for llama.cpp, instead of the model with them in it")
    .option("--log <path>", "append a JSON line for each report")
    .option("--json", "print the result as JSON")
    .action(async (flags: SftFlags) => {
      invocation.exitCode = await sft(flags, invocation.terminal);
    });
  registerTrainRft(train, invocation);
  registerTrainRl(train, invocation);
  registerTrainReward(train, invocation);
  registerTrainMeta(train, invocation);
  registerTrainImportHead(train, invocation);
  registerTrainExport(train, invocation);
}

async function sft(flags: SftFlags, terminal: Terminal): Promise<number> {
  const conversations = readConversations(await readText(flags.data));
  if (conversations.length === 0) throw new SpctError("BAD_RECORD", `${flags.data} holds no conversation`);
  const progress = startProgress(terminal, flags.json === true, "Loading the model");
  const stop = stopOnInterrupt();
  try {
    const checkpointPath = `${flags.out}.checkpoint`;
    const trainer = await loadAddon().Trainer.open(toStart(flags, checkpointPath));
    const text = await modelText(flags.model, trainer);
    const examples = await Promise.all(conversations.map((conversation) => toExample(text, conversation)));
    const steps = flags.epochs * Math.ceil(examples.length / flags.batch);
    const result = await trainSft(trainer, epochs(examples, flags.batch, flags.seed), {
      schedule: { steps, peak: flags.learningRate, warmup: flags.warmup, floor: 0 },
      checkpointPath,
      checkpointEvery: flags.checkpointEvery,
      logPath: flags.log,
      reportEvery: 10,
      signal: stop.signal,
      onReport: (report) => progress.say(describe(report)),
    });
    if (result.finished) {
      const merges = flags.loraRank !== undefined && !flags.loraAdapter;
      await (merges ? trainer.saveMerged(flags.out, flags.type) : trainer.save(flags.out, flags.type));
      await writeTrainManifest(`${flags.out}.manifest.json`, {
        kind: "sft",
        options: { ...flags },
        seed: flags.seed,
        inputs: { model: flags.model, data: flags.data },
        counts: { conversations: conversations.length, steps: result.steps },
      });
    }
    progress.stop();
    if (flags.json) terminal.print(JSON.stringify({ ...result, checkpoint: checkpointPath, out: flags.out }));
    else if (result.finished)
      terminal.print(`${flags.out}: ${result.steps} steps, loss ${result.loss.toFixed(4)}`);
    else
      terminal.print(
        `Stopped after ${result.steps} of ${steps} steps; the same command continues from ${checkpointPath}`,
      );
    return result.finished ? 0 : 1;
  } finally {
    stop.release();
    progress.stop();
  }
}

/** The model, or the checkpoint of a run that was stopped. */
function toStart({ model, threads, device, loraRank, loraAlpha, loraAdapter }: SftFlags, checkpoint: string) {
  const stopped = existsSync(checkpoint);
  if (loraRank === undefined) {
    if (loraAlpha !== undefined || loraAdapter)
      throw new SpctError("INVALID_ARGUMENT", "Expected --lora-rank with the other --lora options");
    return { path: stopped ? checkpoint : model, threads, device };
  }
  const lora = {
    rank: loraRank,
    alpha: loraAlpha ?? 2 * loraRank,
    ...(stopped && { adapter: checkpoint }),
  };
  return { path: model, threads, device, lora };
}

export function describe({ step, steps, loss, tokensPerSecond, secondsLeft }: SftReport): string {
  const minutes = Math.ceil(secondsLeft / 60);
  return `Step ${step}/${steps}, loss ${loss.toFixed(4)}, ${Math.round(tokensPerSecond)} tokens/s, ${minutes} min left`;
}
