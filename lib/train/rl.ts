import { existsSync } from "node:fs";
import { appendFile, readFile, rename, writeFile } from "node:fs/promises";
import { SpctError } from "../errors.js";
import type { Grm } from "../judge.js";
import { loadAddon } from "../native.js";
import type { PromptTemplate } from "../prompt/template.js";
import { credit } from "../vote/metrics.js";
import { type Accuracy, accuracyOf } from "./accuracy.js";
import { type CollapseState, CollapseWatch } from "./collapse.js";
import type { ModelText } from "./conversations.js";
import { toBatch } from "./dataset.js";
import type { LiveJudge } from "./live_judge.js";
import type { AdvantageScale, GrpoOptions, NativeTrainer, PolicyBatch, PolicyStepResult } from "./native.js";
import { answerOf, queryOf, type RlItem } from "./rl_items.js";
import { rollOut, type Trajectory } from "./rollouts.js";
import { learningRate, type Schedule } from "./schedule.js";

export interface RlOptions {
  /** The items of a step; the same step always gives the same ones, so that a run can be resumed. */
  items: (step: number) => readonly RlItem[];
  judge: LiveJudge;
  template: PromptTemplate;
  text: ModelText;
  schedule: Schedule;
  seed: number;
  /** Judgements of an item. Default 4, the paper's. */
  groupSize?: number;
  /** Default "group": the group's deviation (GRPO). */
  advantageScale?: AdvantageScale;
  /** Updates from the judgements of one step. Default 1; the ratio is clipped only with more. */
  updates?: number;
  /** Leaves groups whose judgements were worth the same out of the update, where they would only pull towards the reference (the
   * dynamic sampling of DAPO without its refilling). Default false. */
  skipEven?: boolean;
  /** Of the loss and, its temperature, of the sampling. */
  grpo?: GrpoOptions;
  maxTokens?: number;
  /** Judged greedily every `every` steps and at the end. */
  heldOut?: { items: readonly RlItem[]; every: number };
  checkpointPath?: string;
  checkpointEvery?: number;
  /** JSONL, one line for each step. */
  logPath?: string;
  signal?: AbortSignal;
  onReport?: (report: RlReport) => void;
}

export interface RlReport extends PolicyStepResult {
  step: number;
  steps: number;
  /** Mean over the judgements, from -1 to 1. */
  reward: number;
  /** Share of the judgements without readable scores. */
  invalid: number;
  /** Share of the groups whose judgements were worth the same, which teach nothing but the penalty. */
  even: number;
  /** Mean tokens of a judgement. */
  length: number;
  /** Mean distance between the engine's log-probabilities and the trainer's, nats, on the step's first groups. */
  engineGap: number;
  learningRate: number;
  heldOut?: Accuracy;
  /** What the step took: the sampling, the log-probabilities, the updates, and giving the weights to the engine. */
  seconds: { rollOut: number; logProbabilities: number; update: number; reload: number };
  secondsLeft: number;
}

export interface RlResult {
  finished: boolean;
  steps: number;
  /** Why the run was stopped before its end, if its policy collapsed. */
  collapsed?: string;
}

/**
 * Rule-based online RL (section 3.2 of the paper): judgements of the present weights, Eq. 11 as reward, GRPO with a penalty
 * towards the frozen `reference` (null only when beta is 0). Goes on from where `trainer` stands. An aborted signal ends it with
 * a checkpoint after the last whole step; opening that checkpoint and calling again continues. A collapse (see CollapseWatch)
 * ends it too, and leaves the last checkpoint as it is.
 */
export async function trainRl(
  trainer: NativeTrainer,
  reference: NativeTrainer | null,
  options: RlOptions,
): Promise<RlResult> {
  const { judge, schedule, checkpointPath, checkpointEvery = 20, logPath, signal } = options;
  const { step: first, collapse } = readNote(trainer.info.note);
  if (reference === null && options.grpo?.beta !== 0) {
    throw new SpctError("INVALID_ARGUMENT", "Expected a reference, or a beta of 0");
  }
  const watch = new CollapseWatch(collapse);
  const start = performance.now();
  const save = async (done: number) => {
    if (checkpointPath === undefined) return;
    await trainer.saveCheckpoint(checkpointPath, JSON.stringify({ step: done, collapse: watch.state }));
  };
  if (logPath !== undefined) await cutLog(logPath, first);
  let grm = await judge.refresh(trainer);
  let done = first;
  try {
    while (done < schedule.steps) {
      signal?.throwIfAborted();
      const { report, next } = await trainStep(trainer, reference, grm, done, options);
      grm = next;
      done++;
      report.secondsLeft = ((performance.now() - start) / 1000 / (done - first)) * (schedule.steps - done);
      const { heldOut } = options;
      if (heldOut !== undefined && (done % heldOut.every === 0 || done === schedule.steps)) {
        report.heldOut = await greedyAccuracy(grm, heldOut.items, options);
      }
      options.onReport?.(report);
      if (logPath !== undefined) await appendFile(logPath, `${JSON.stringify(report)}\n`);
      const collapsed = watch.add(report);
      if (collapsed !== undefined) return { finished: false, steps: done, collapsed };
      if (done % checkpointEvery === 0 || done === schedule.steps) await save(done);
    }
  } catch (error) {
    if (!signal?.aborted) throw error;
    await save(done);
  }
  return { finished: done >= schedule.steps, steps: done };
}

async function trainStep(
  trainer: NativeTrainer,
  reference: NativeTrainer | null,
  grm: Grm,
  step: number,
  options: RlOptions,
): Promise<{ report: RlReport; next: Grm }> {
  const {
    judge,
    template,
    text,
    schedule,
    groupSize = 4,
    updates = 1,
    grpo = {},
    maxTokens,
    signal,
  } = options;
  const { temperature = 1, beta } = grpo;
  const clock = new Stopwatch();
  const items = options.items(step);
  const seed = options.seed + step * items.length * groupSize;
  const trajectories = await rollOut(grm, template, text, items, {
    groupSize,
    temperature,
    maxTokens,
    seed,
    signal,
  });
  const rolledOut = clock.lap();
  const engineGap = await gapOf(trainer, trajectories.slice(0, 4 * groupSize), temperature);
  const rewards = Float64Array.from(trajectories, ({ reward }) => reward);
  const advantages = loadAddon().groupAdvantages(rewards, groupSize, options.advantageScale ?? "group");
  const uneven = inUnevenGroups(trajectories, groupSize);
  const learnt = options.skipEven && uneven.length > 0 ? uneven : [...trajectories.keys()];
  const batch = toBatch(learnt.map((index) => trajectories[index]!));
  const policyBatch: PolicyBatch = {
    ...batch,
    advantages: Float64Array.from(learnt, (index) => advantages[index]!),
    // With one update the weights are still those that sampled.
    oldLogProbabilities: updates > 1 ? await trainer.logProbabilities(batch, temperature) : undefined,
    referenceLogProbabilities: beta === 0 ? undefined : await reference?.logProbabilities(batch, temperature),
  };
  const compared = clock.lap();
  const rate = learningRate(schedule, step);
  let result = await trainer.policyStep(policyBatch, grpo, rate);
  for (let update = 1; update < updates; update++) result = await trainer.policyStep(policyBatch, grpo, rate);
  const updated = clock.lap();
  const next = await judge.refresh(trainer);
  const report: RlReport = {
    step: step + 1,
    steps: schedule.steps,
    ...result,
    ...describe(trajectories),
    even: 1 - uneven.length / trajectories.length,
    engineGap,
    learningRate: rate,
    seconds: { rollOut: rolledOut, logProbabilities: compared, update: updated, reload: clock.lap() },
    secondsLeft: 0,
  };
  return { report, next };
}

function describe(trajectories: readonly Trajectory[]): Pick<RlReport, "reward" | "invalid" | "length"> {
  const mean = (value: (trajectory: Trajectory) => number) =>
    trajectories.reduce((sum, trajectory) => sum + value(trajectory), 0) / trajectories.length;
  return {
    reward: mean(({ reward }) => reward),
    invalid: mean(({ valid }) => (valid ? 0 : 1)),
    length: mean(({ completion }) => completion.length),
  };
}

/** Indices of the trajectories in whose group not all got the same reward. */
function inUnevenGroups(trajectories: readonly Trajectory[], groupSize: number): number[] {
  return [...trajectories.keys()].filter((index) => {
    const begin = index - (index % groupSize);
    const group = trajectories.slice(begin, begin + groupSize);
    return group.some(({ reward }) => reward !== group[0]!.reward);
  });
}

async function gapOf(
  trainer: NativeTrainer,
  trajectories: readonly Trajectory[],
  temperature: number,
): Promise<number> {
  const found = await trainer.logProbabilities(toBatch(trajectories), temperature);
  let sum = 0;
  let at = 0;
  for (const { logProbabilities } of trajectories) {
    for (const value of logProbabilities) sum += Math.abs(value - found[at++]!);
  }
  return sum / at;
}

/** A tie at the top is worth its share; a judgement without scores nothing. */
async function greedyAccuracy(
  grm: Grm,
  items: readonly RlItem[],
  { maxTokens, signal }: RlOptions,
): Promise<Accuracy> {
  let sum = 0;
  for (const answer of ["scores", "winner", "correctness"] as const) {
    const chosen = items.filter((item) => answerOf(item) === answer);
    const options = { k: 1, temperature: 0, answer, maxTokens, signal };
    let at = 0;
    for await (const { scores } of grm.judgeMany(chosen.map(queryOf), options)) {
      const { label } = chosen[at++]!;
      if (scores === null) continue;
      sum += answer === "correctness" ? Number(scores[0] === label) : credit(scores, [label], "share");
    }
  }
  return accuracyOf(sum, items.length);
}

function readNote(note: string): { step: number; collapse?: CollapseState } {
  if (note === "") return { step: 0 };
  try {
    const { step, collapse } = JSON.parse(note);
    if (Number.isInteger(step)) return { step, collapse };
  } catch {
    // Below: what is no JSON was not written here either.
  }
  throw new SpctError("BAD_CHECKPOINT", "The checkpoint was not written by reinforcement learning");
}

/** Drops what an earlier run wrote at the end of the log after its checkpoint, as these steps will be taken again; from a run
 * without a checkpoint only a line that was cut short. */
async function cutLog(path: string, step: number): Promise<void> {
  if (!existsSync(path)) return;
  const text = await readFile(path, "utf8");
  const lines = text.split("\n").filter((line) => line !== "");
  const lost = (line: string) => {
    const logged = stepOf(line);
    return logged === null || (step > 0 && logged > step);
  };
  while (lines.length > 0 && lost(lines.at(-1)!)) lines.pop();
  const kept = lines.map((line) => `${line}\n`).join("");
  if (kept === text) return;
  await writeFile(`${path}.part`, kept);
  await rename(`${path}.part`, path);
}

/** Null for a line that was cut short. */
function stepOf(line: string): number | null {
  try {
    return Number((JSON.parse(line) as Partial<RlReport>).step);
  } catch {
    return null;
  }
}

class Stopwatch {
  #last = performance.now();

  /** Seconds since the last call. */
  lap(): number {
    const now = performance.now();
    const seconds = (now - this.#last) / 1000;
    this.#last = now;
    return seconds;
  }
}
