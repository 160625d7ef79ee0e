import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { Command } from "commander";
import { invalidArgument } from "../errors.js";
import { headBeside, manifestBeside } from "../models.js";
import { loadAddon } from "../native.js";
import { type ModelText, modelText } from "../train/conversations.js";
import { writeTrainManifest } from "../train/manifest.js";
import { fileHash } from "../train/meta.js";
import type { NativeTrainer, TrainingDevice } from "../train/native.js";
import { type RewardSource, trainReward } from "../train/reward.js";
import type { StepsReport, StepsResult } from "../train/steps.js";
import { toInteger, toNumber } from "./arguments.js";
import { startProgress } from "./progress.js";
import type { Terminal } from "./terminal.js";
import { stopOnInterrupt, toDevice, toMatrixType } from "./training.js";

/** Options of every recipe that trains a backbone with a scalar head. */
export interface BackboneFlags {
  out: string;
  type: "f32" | "f16" | "q8_0";
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

export function backboneOptions(command: Command): Command {
  return command
    .requiredOption("--out <path>", "the file to write")
    .option("--type <type>", "type of the written matrices: f32, f16 or q8_0", toMatrixType, "f16")
    .option("--batch <n>", "examples in a step", toInteger, 16)
    .option("--learning-rate <rate>", "peak of the learning rate", toNumber, 1e-4)
    .option("--warmup <n>", "steps until the peak", toInteger, 20)
    .option("--seed <n>", "order of the data, and what is drawn", toInteger, 0)
    .option("--threads <n>", "threads", toInteger, 2)
    .option("--device <name>", "what computes the training: cpu or gpu", toDevice, "cpu")
    .option("--checkpoint-every <n>", "steps between checkpoints", toInteger, 200)
    .option("--log <path>", "append a JSON line for each report")
    .option("--json", "print the result as JSON");
}

/** What a recipe makes of the model and its data. */
export interface RewardRecipe {
  source: RewardSource;
  steps: number;
  /** Measures the trained model on what it was not trained on. */
  measure?: (trainer: NativeTrainer) => Promise<object | null>;
  counts: Record<string, number>;
}

export interface RewardRun {
  modelPath: string;
  /** Of the manifest. */
  kind: string;
  head: "meta" | "reward";
  /** Name or path of the template of the prompts, for whoever loads the model. */
  template: string | undefined;
  inputs: Record<string, string | undefined>;
  prepare: (trainer: NativeTrainer, text: ModelText) => Promise<RewardRecipe>;
}

/** Trains into `out`, its head file, its `.json` and its manifest, or, when interrupted, into a checkpoint. */
export async function trainBackbone(
  flags: BackboneFlags,
  run: RewardRun,
  terminal: Terminal,
): Promise<number> {
  for (const name of ["batch", "checkpointEvery"] as const) {
    if (flags[name] < 1) throw invalidArgument(name, "an integer of at least 1", flags[name]);
  }
  const checkpoint = `${flags.out}.checkpoint`;
  const progress = startProgress(terminal, flags.json === true, "Loading the model");
  const stop = stopOnInterrupt();
  try {
    const path = existsSync(checkpoint) ? checkpoint : run.modelPath;
    const trainer = await loadAddon().Trainer.open({ path, threads: flags.threads, device: flags.device });
    const recipe = await run.prepare(trainer, await modelText(run.modelPath, trainer));
    const { source, steps, counts } = recipe;
    const result = await trainReward(trainer, source, {
      schedule: { steps, peak: flags.learningRate, warmup: flags.warmup, floor: 0 },
      checkpointPath: checkpoint,
      checkpointEvery: flags.checkpointEvery,
      logPath: flags.log,
      reportEvery: 10,
      signal: stop.signal,
      onReport: (report) => progress.say(describeReport(report)),
    });
    if (!result.finished) {
      progress.stop();
      terminal.print(
        flags.json
          ? JSON.stringify({ ...result, checkpoint, out: flags.out })
          : `Stopped after ${result.steps} of ${steps} steps; the same command continues from ${checkpoint}`,
      );
      return 1;
    }
    progress.say("Writing the model");
    const headPath = headBeside(flags.out);
    await trainer.save(flags.out, flags.type);
    await trainer.saveHead(headPath, { kind: run.head, backbone: await fileHash(flags.out) });
    await writeTemplate(flags.out, run.template);
    const heldOut = await recipe.measure?.(trainer);
    await writeTrainManifest(`${flags.out}.manifest.json`, {
      kind: run.kind,
      options: { ...flags },
      seed: flags.seed,
      inputs: run.inputs,
      counts: { ...counts, steps: result.steps, heldOut },
    });
    progress.stop();
    const figures = { ...result, counts, heldOut };
    terminal.print(
      flags.json
        ? JSON.stringify({ ...figures, checkpoint, out: flags.out, head: headPath })
        : describeResult(figures, flags.out),
    );
    return 0;
  } finally {
    stop.release();
    progress.stop();
  }
}

/** Beside the model, so that it is asked as it was trained. */
async function writeTemplate(modelPath: string, template: string | undefined): Promise<void> {
  const named = template !== undefined && existsSync(template) ? resolve(template) : template;
  await writeFile(manifestBeside(modelPath), `${JSON.stringify({ template: named }, null, 2)}\n`);
}

function describeReport({ step, steps, loss, accuracy, tokensPerSecond, secondsLeft }: StepsReport): string {
  return (
    `Step ${step}/${steps}, loss ${loss.toFixed(4)}, ${(100 * accuracy!).toFixed(1)}% right, ` +
    `${Math.round(tokensPerSecond)} tokens/s, ${Math.ceil(secondsLeft / 60)} min left`
  );
}

function describeResult(
  { steps, loss, heldOut }: StepsResult & { heldOut?: object | null },
  out: string,
): string {
  const held = Object.entries(heldOut ?? {}).map(([name, value]) => `${name} ${JSON.stringify(value)}`);
  return `${out}: ${steps} steps, loss ${loss.toFixed(4)}${held.length === 0 ? "" : `; held out: ${held.join(", ")}`}`;
}
