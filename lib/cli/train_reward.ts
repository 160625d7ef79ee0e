import type { Command } from "commander";
import { invalidArgument, SpctError } from "../errors.js";
import { findModel } from "../models.js";
import { loadTemplate } from "../templates.js";
import { accuracyOf } from "../train/accuracy.js";
import { epochs, type ModelText } from "../train/conversations.js";
import type { NativeTrainer } from "../train/native.js";
import { type LabelledSequence, type PreferencePair, type RewardSource, rewardsOf } from "../train/reward.js";
import { type Examples, orderedPairs, preferencePairs } from "../train/reward_examples.js";
import { type RlItem, taskRlItems } from "../train/rl_items.js";
import { heldOutSeed } from "../train/tasks/task.js";
import { toInteger } from "./arguments.js";
import { type BackboneFlags, backboneOptions, type RewardRecipe, trainBackbone } from "./reward_training.js";
import type { Invocation, Terminal } from "./terminal.js";
import { itemsOf, namedTask } from "./train_rl.js";

interface RewardFlags extends BackboneFlags {
  model: string;
  data?: string;
  task?: string;
  pairwise?: boolean;
  template?: string;
  epochs: number;
  steps: number;
  heldOut?: string;
  heldOutItems: number;
}

/** Training seeds of tasks that no other recipe reaches. */
const taskSeed = 2 ** 38;

export function registerTrainReward(train: Command, invocation: Invocation): void {
  const command = train
    .command("reward")
    .summary("Train a scalar reward model: Bradley-Terry on pairs.")
    .description(
      "Train a scalar reward model on preferences: a head on the last state, and all weights below it. Each response is read " +
        "alone, and the best of an item is to get more than each other one (the Bradley-Terry loss).\n\n" +
        'The data is JSONL: {"query", "responses", "label"}, where the label is the index of the best response.\n' +
        "Writes the backbone, beside it its head (.head.gguf), its template (.json) and a manifest (.manifest.json). Ctrl-C " +
        "saves a checkpoint beside the output; the same command continues from it.",
    )
    .requiredOption("--model <path>", "the GGUF to start from")
    .option("--data <path>", "items, one JSON object on a line")
    .option("--task <name>", "instead of data: requirements, a task that makes its own items")
    .option("--pairwise", "read two responses at once; a value above 0 prefers the first")
    .option(
      "--template <name>",
      "prompt template (default: the model's; without one the response is the assistant's turn)",
    )
    .option("--epochs <n>", "passes over the data", toInteger, 1)
    .option("--steps <n>", "steps on a task", toInteger, 200)
    .option("--held-out <path>", "items that are measured at the end, one JSON object on a line")
    .option("--held-out-items <n>", "how many held-out items of the task are measured", toInteger, 200);
  backboneOptions(command).action(async (flags: RewardFlags) => {
    invocation.exitCode = await reward(flags, invocation.terminal);
  });
}

async function reward(flags: RewardFlags, terminal: Terminal): Promise<number> {
  for (const name of ["epochs", "steps"] as const) {
    if (flags[name] < 1) throw invalidArgument(name, "an integer of at least 1", flags[name]);
  }
  if ((flags.data === undefined) === (flags.task === undefined)) {
    throw new SpctError("INVALID_ARGUMENT", "Expected either --data or --task");
  }
  const { modelPath, manifest } = await findModel(flags.model, null);
  const name = flags.template ?? manifest.template ?? (flags.pairwise ? "default" : undefined);
  const template = name === undefined ? undefined : await loadTemplate(name);
  const heldOut = await heldOutItems(flags);
  const items = flags.data === undefined ? undefined : await itemsOf(flags.data);
  const run = {
    modelPath,
    kind: "reward",
    head: "reward" as const,
    template: name,
    inputs: { model: modelPath, data: flags.data, heldOut: flags.heldOut },
    prepare: (trainer: NativeTrainer, text: ModelText): Promise<RewardRecipe> => {
      const { context } = trainer.info;
      const data = { items, heldOut, flags };
      if (flags.pairwise) {
        const make: Make<LabelledSequence> = (item, seed) =>
          orderedPairs(text, template!, item, context, seed);
        return prepare(data, make, (labelled) => ({ loss: "bce", labelled }), countOnTheirSide);
      }
      const make: Make<PreferencePair> = (item) => preferencePairs(text, template, item, context);
      return prepare(data, make, (pairs) => ({ loss: "bradley_terry", pairs }), countChosenAbove);
    },
  };
  return trainBackbone(flags, run, terminal);
}

type Make<Example> = (item: RlItem, seed: number) => Promise<Examples<Example>>;

interface RewardData {
  /** Undefined for a task, which makes them. */
  items: RlItem[] | undefined;
  heldOut: RlItem[];
  flags: RewardFlags;
}

async function prepare<Example>(
  { items, heldOut, flags }: RewardData,
  make: Make<Example>,
  toSource: (examples: (step: number) => Example[] | Promise<Example[]>) => RewardSource,
  countRight: (trainer: NativeTrainer, examples: Example[]) => Promise<number>,
): Promise<RewardRecipe> {
  const { batch, seed } = flags;
  const measured = await makeAll(heldOut, make, seed);
  const measure = async (trainer: NativeTrainer) =>
    accuracyOf(await countRight(trainer, measured.examples), measured.examples.length);
  const own = { measure: measured.examples.length === 0 ? undefined : measure };
  if (items === undefined) {
    const task = namedTask(flags.task!);
    // A step's own stretch of seeds leaves room for items without a best response.
    const draw = async (step: number) => {
      const first = taskSeed + step * batch * 8;
      const { examples } = await makeAll(taskRlItems(task, first, batch), make, first);
      if (examples.length > 0) return examples;
      throw new SpctError("CONTEXT_OVERFLOW", `No item of step ${step + 1} fits into the model's context`);
    };
    return { ...own, source: toSource(draw), steps: flags.steps, counts: {} };
  }
  const { examples, tooLong } = await makeAll(items, make, seed);
  if (examples.length === 0) {
    const what = `${flags.data} holds no item with several responses that fit into the model's context`;
    throw new SpctError("BAD_RECORD", what);
  }
  const steps = flags.epochs * Math.ceil(examples.length / batch);
  const single = items.filter(({ responses }) => responses.length === 1).length;
  const counts = { items: items.length, pairs: examples.length, tooLong, single };
  return { ...own, source: toSource(epochs(examples, batch, seed)), steps, counts };
}

async function makeAll<Example>(
  items: readonly RlItem[],
  make: Make<Example>,
  seed: number,
): Promise<Examples<Example>> {
  const made = await Promise.all(items.map((item, index) => make(item, seed + index)));
  return {
    examples: made.flatMap(({ examples }) => examples),
    tooLong: made.reduce((sum, { tooLong }) => sum + tooLong, 0),
  };
}

/** Equal rewards are half right. */
async function countChosenAbove(trainer: NativeTrainer, pairs: PreferencePair[]): Promise<number> {
  const rewards = await rewardsOf(
    trainer,
    pairs.flatMap(({ chosen, rejected }) => [chosen, rejected]),
  );
  return pairs.reduce((sum, _, index) => sum + credit(rewards[2 * index]! - rewards[2 * index + 1]!), 0);
}

async function countOnTheirSide(trainer: NativeTrainer, labelled: LabelledSequence[]): Promise<number> {
  const rewards = await rewardsOf(
    trainer,
    labelled.map(({ sequence }) => sequence),
  );
  return labelled.reduce((sum, { label }, index) => sum + credit((2 * label - 1) * rewards[index]!), 0);
}

function credit(lead: number): number {
  return lead > 0 ? 1 : lead === 0 ? 0.5 : 0;
}

async function heldOutItems({ heldOut, task, heldOutItems: count }: RewardFlags): Promise<RlItem[]> {
  if (heldOut !== undefined) return itemsOf(heldOut);
  return task === undefined || count < 1 ? [] : taskRlItems(namedTask(task), heldOutSeed, count);
}
