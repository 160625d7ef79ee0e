import { existsSync } from "node:fs";
import type { Command } from "commander";
import { invalidArgument, SpctError } from "../errors.js";
import { findModel, type ModelFiles } from "../models.js";
import { loadAddon } from "../native.js";
import { choice } from "../options.js";
import { loadTemplate } from "../templates.js";
import { epochs, modelText } from "../train/conversations.js";
import { LiveJudge } from "../train/live_judge.js";
import { writeTrainManifest } from "../train/manifest.js";
import type { AdvantageScale, GrpoOptions, NativeTrainer, TrainingDevice } from "../train/native.js";
import { type RlReport, type RlResult, trainRl } from "../train/rl.js";
import { type RlItem, readRlItems, taskRlItems } from "../train/rl_items.js";
import { RequirementTask } from "../train/tasks/requirements.js";
import { heldOutSeed } from "../train/tasks/task.js";
import { readText, toInteger, toNumber } from "./arguments.js";
import { startProgress } from "./progress.js";
import type { Invocation, Terminal } from "./terminal.js";
import { stopOnInterrupt, toDevice, toMatrixType } from "./training.js";

interface RlFlags {
  model: string;
  reference?: string;
  data?: string;
  task?: string;
  out: string;
  type: "f32" | "f16" | "q8_0";
  template?: string;
  steps: number;
  batch: number;
  group: number;
  updates: number;
  skipEven?: boolean;
  beta: number;
  epsilon: number;
  epsilonHigh?: number;
  normalization: NonNullable<GrpoOptions["normalization"]>;
  scale: AdvantageScale;
  temperature: number;
  maxTokens?: number;
  learningRate: number;
  warmup: number;
  heldOut?: string;
  heldOutItems: number;
  every: number;
  seed: number;
  threads: number;
  device: TrainingDevice;
  checkpointEvery: number;
  log?: string;
  json?: boolean;
}

/** Training seeds of tasks that supervised training never reaches. */
const taskSeed = 2 ** 37;

export function registerTrainRl(train: Command, invocation: Invocation): void {
  train
    .command("rl")
    .summary("Reinforce a judge by rule: GRPO on its own judgements.")
    .description(
      "Rule-based online reinforcement learning: the judge samples judgements, one that picks the best response gets +1, any " +
        "other -1, and GRPO with a KL penalty towards the frozen model follows them.\n\n" +
        'The data is JSONL: {"query", "responses", "label"}, where the label is the index of the best response, or 1 or 0 for ' +
        "a single response that is correct or not. The paper's values are the defaults, but for the learning rate and the " +
        "batch, which suit small models (the paper: 4e-7, 512 judgements).\n" +
        "Ctrl-C saves a checkpoint beside the output; the same command continues from it. The run stops by itself when the " +
        "mean of ten steps shows more than half of the judgements without scores (and more than at the start), a KL of more " +
        "than 1 nat per token, or an entropy below 2% of that at the start.",
    )
    .requiredOption("--model <path>", "the GGUF to start from")
    .option("--reference <path>", "the GGUF the penalty pulls towards (default: the model)")
    .option("--data <path>", "items, one JSON object on a line")
    .option("--task <name>", "instead of data: requirements, a task that makes its own items")
    .requiredOption("--out <path>", "the GGUF to write")
    .option("--type <type>", "type of the written matrices: f32, f16 or q8_0", toMatrixType, "f16")
    .option("--template <name>", "prompt template (default: the model's)")
    .option("--steps <n>", "steps", toInteger, 100)
    .option("--batch <n>", "items in a step", toInteger, 16)
    .option("--group <n>", "judgements of an item", toInteger, 4)
    .option("--updates <n>", "updates from the judgements of a step", toInteger, 1)
    .option("--skip-even", "leave groups of equal rewards out of the update")
    .option("--beta <x>", "weight of the KL penalty", toNumber, 0.08)
    .option("--epsilon <x>", "clip range of the ratio", toNumber, 0.2)
    .option("--epsilon-high <x>", "upper clip range (default: epsilon)", toNumber)
    .option("--normalization <name>", "grpo, bnpo, dr_grpo or dapo", "grpo")
    .option("--scale <name>", "deviation that advantages are divided by: group, batch or none", "group")
    .option("--temperature <x>", "of the sampling", toNumber, 1)
    .option("--max-tokens <n>", "budget of a judgement (default: the model's)", toInteger)
    .option("--learning-rate <rate>", "peak of the learning rate", toNumber, 1e-4)
    .option("--warmup <n>", "steps until the peak", toInteger, 5)
    .option("--held-out <path>", "items that are judged greedily, one JSON object on a line")
    .option("--held-out-items <n>", "how many held-out items of the task are judged", toInteger, 200)
    .option("--every <n>", "steps between judging the held-out items", toInteger, 20)
    .option("--seed <n>", "order of the data, and the sampling", toInteger, 0)
    .option("--threads <n>", "threads", toInteger, 2)
    .option("--device <name>", "what computes the training: cpu or gpu", toDevice, "cpu")
    .option("--checkpoint-every <n>", "steps between checkpoints", toInteger, 20)
    .option("--log <path>", "append a JSON line for each step")
    .option("--json", "print the result as JSON")
    .action(async (flags: RlFlags) => {
      invocation.exitCode = await rl(flags, invocation.terminal);
    });
}

async function rl(flags: RlFlags, terminal: Terminal): Promise<number> {
  for (const name of ["steps", "batch", "group", "updates", "every", "checkpointEvery"] as const) {
    if (flags[name] < 1) throw invalidArgument(name, "an integer of at least 1", flags[name]);
  }
  choice("grpo", "bnpo", "dr_grpo", "dapo")(flags.normalization, "normalization");
  choice("group", "batch", "none")(flags.scale, "scale");
  if (!(flags.beta >= 0)) throw invalidArgument("beta", "a number of at least 0", flags.beta);
  if (!(flags.temperature > 0)) throw invalidArgument("temperature", "a number above 0", flags.temperature);
  const items = await trainingItems(flags);
  const heldOut = await heldOutItems(flags);
  const files = await findModel(flags.model, null);
  const maxTokens = flags.maxTokens ?? files.manifest.maxTokens;
  const progress = startProgress(terminal, flags.json === true, "Loading the model");
  const stop = stopOnInterrupt();
  const judge = liveJudge(flags, files);
  try {
    const checkpoint = `${flags.out}.checkpoint`;
    const { Trainer } = loadAddon();
    const path = existsSync(checkpoint) ? checkpoint : files.modelPath;
    const trainer = await Trainer.open({ path, threads: flags.threads, device: flags.device });
    const reference = await openReference(flags, files);
    const result = await trainRl(trainer, reference, {
      items,
      judge,
      template: await loadTemplate(templateOf(flags, files)),
      text: await modelText(files.modelPath, trainer),
      schedule: { steps: flags.steps, peak: flags.learningRate, warmup: flags.warmup, floor: 0.1 },
      seed: flags.seed,
      groupSize: flags.group,
      advantageScale: flags.scale,
      updates: flags.updates,
      skipEven: flags.skipEven,
      grpo: {
        beta: flags.beta,
        epsilon: flags.epsilon,
        epsilonHigh: flags.epsilonHigh,
        normalization: flags.normalization,
        temperature: flags.temperature,
        maxCompletionTokens: maxTokens,
      },
      maxTokens,
      heldOut: heldOut === undefined ? undefined : { items: heldOut, every: flags.every },
      checkpointPath: checkpoint,
      checkpointEvery: flags.checkpointEvery,
      logPath: flags.log,
      signal: stop.signal,
      onReport: (report) => progress.say(describeStep(report)),
    });
    if (result.finished) {
      await trainer.save(flags.out, flags.type);
      await writeTrainManifest(`${flags.out}.manifest.json`, {
        kind: "rl",
        options: { ...flags },
        seed: flags.seed,
        inputs: {
          model: files.modelPath,
          reference: flags.reference,
          data: flags.data,
          heldOut: flags.heldOut,
        },
        counts: { steps: result.steps },
      });
    }
    progress.stop();
    terminal.print(
      flags.json ? JSON.stringify({ ...result, checkpoint, out: flags.out }) : describeEnd(result, flags),
    );
    return result.finished ? 0 : 1;
  } finally {
    stop.release();
    progress.stop();
    await judge.close();
  }
}

async function trainingItems({ data, task, batch, seed }: RlFlags): Promise<(step: number) => RlItem[]> {
  if ((data === undefined) === (task === undefined)) {
    throw new SpctError("INVALID_ARGUMENT", "Expected either --data or --task");
  }
  if (data === undefined) {
    const source = namedTask(task!);
    // A step's own stretch of seeds leaves room for those without a best response.
    return (step) => taskRlItems(source, taskSeed + step * batch * 8, batch);
  }
  return epochs(await itemsOf(data), batch, seed);
}

async function heldOutItems({ heldOut, task, heldOutItems: count }: RlFlags): Promise<RlItem[] | undefined> {
  if (heldOut !== undefined) return itemsOf(heldOut);
  return task === undefined || count < 1 ? undefined : taskRlItems(namedTask(task), heldOutSeed, count);
}

export function namedTask(name: string): RequirementTask {
  if (name === "requirements") return new RequirementTask({ responseCounts: [0, 1, 0, 0] });
  throw new SpctError("INVALID_ARGUMENT", `Expected requirements for --task but received ${name}`);
}

export async function itemsOf(path: string): Promise<RlItem[]> {
  const items = readRlItems(await readText(path));
  if (items.length === 0) throw new SpctError("BAD_RECORD", `${path} holds no item`);
  return items;
}

function templateOf({ template }: RlFlags, { manifest }: ModelFiles): string {
  return template ?? manifest.template ?? "default";
}

function liveJudge(flags: RlFlags, files: ModelFiles): LiveJudge {
  const { threads } = flags;
  return new LiveJudge(`${flags.out}.live.gguf`, "f16", { template: templateOf(flags, files), threads });
}

async function openReference(
  { reference, beta, threads, device }: RlFlags,
  { modelPath }: ModelFiles,
): Promise<NativeTrainer | null> {
  if (beta === 0) return null;
  return loadAddon().Trainer.open({ path: reference ?? modelPath, threads, device });
}

export function describeStep({
  step,
  steps,
  reward,
  kl,
  length,
  invalid,
  heldOut,
  secondsLeft,
}: RlReport): string {
  const held = heldOut === undefined ? "" : `, held out ${(heldOut.accuracy * 100).toFixed(1)}%`;
  return (
    `Step ${step}/${steps}, reward ${reward.toFixed(2)}, KL ${kl.toFixed(4)}, ${Math.round(length)} tokens, ` +
    `${Math.round(invalid * 100)}% invalid${held}, ${Math.ceil(secondsLeft / 60)} min left`
  );
}

function describeEnd({ finished, collapsed, steps }: RlResult, { out, steps: all }: RlFlags): string {
  if (finished) return `${out}: ${steps} steps`;
  const checkpoint = `${out}.checkpoint`;
  if (collapsed !== undefined)
    return `Stopped after ${steps} of ${all} steps: ${collapsed}. ${checkpoint} is from before.`;
  return `Stopped after ${steps} of ${all} steps; the same command continues from ${checkpoint}`;
}
