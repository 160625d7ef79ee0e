import { existsSync } from "node:fs";
import { appendFile } from "node:fs/promises";
import type { NativeTrainer } from "./native.js";
import { learningRate, type Schedule } from "./schedule.js";

export interface StepsOptions {
  schedule: Schedule;
  /** Written every `checkpointEvery` steps and when the run is stopped. */
  checkpointPath?: string;
  checkpointEvery?: number;
  /** JSONL, one line every `reportEvery` steps. */
  logPath?: string;
  reportEvery?: number;
  signal?: AbortSignal;
  onReport?: (report: StepsReport) => void;
}

/** What is known after a step. */
export interface StepFigures {
  loss: number;
  /** Share, where there is something to be right about. */
  accuracy?: number;
  gradientNorm: number;
  tokens: number;
}

export interface StepsReport {
  step: number;
  steps: number;
  /** Mean since the last report, nats. */
  loss: number;
  accuracy?: number;
  gradientNorm: number;
  learningRate: number;
  /** Tokens seen by this process, and how many each second. */
  tokens: number;
  tokensPerSecond: number;
  secondsLeft: number;
}

export interface StepsResult {
  finished: boolean;
  steps: number;
  /** Of the last report. */
  loss: number;
  accuracy?: number;
}

/**
 * Takes the steps from where `trainer` stands to the schedule's last one. An aborted signal ends it after the step in hand, with
 * a checkpoint; opening that checkpoint and calling again continues exactly.
 */
export async function takeSteps(
  trainer: NativeTrainer,
  take: (step: number, learningRate: number) => Promise<StepFigures>,
  options: StepsOptions,
): Promise<StepsResult> {
  const { schedule, checkpointPath, checkpointEvery = 500, logPath, reportEvery = 50, signal } = options;
  const first = trainer.info.stepsDone;
  const start = performance.now();
  const window = new Window();
  let tokens = 0;
  let last: Means = { loss: Number.NaN };
  let step = first;
  for (; step < schedule.steps && !signal?.aborted; step++) {
    const rate = learningRate(schedule, step);
    const figures = await take(step, rate);
    tokens += figures.tokens;
    window.add(figures);
    const done = step + 1;
    if (done % reportEvery === 0 || done === schedule.steps) {
      const seconds = (performance.now() - start) / 1000;
      last = window.take();
      const report: StepsReport = {
        step: done,
        steps: schedule.steps,
        ...last,
        gradientNorm: figures.gradientNorm,
        learningRate: rate,
        tokens,
        tokensPerSecond: tokens / seconds,
        secondsLeft: (seconds / (done - first)) * (schedule.steps - done),
      };
      options.onReport?.(report);
      if (logPath !== undefined) await appendFile(logPath, `${JSON.stringify(report)}\n`);
    }
    if (checkpointPath !== undefined && done % checkpointEvery === 0) {
      await trainer.saveCheckpoint(checkpointPath, "");
    }
  }
  if (checkpointPath !== undefined && (step > first || !existsSync(checkpointPath))) {
    await trainer.saveCheckpoint(checkpointPath, "");
  }
  return { finished: step >= schedule.steps, steps: step, ...last };
}

type Means = Pick<StepsReport, "loss" | "accuracy">;

class Window {
  #loss = 0;
  #accuracy: number | undefined;
  #count = 0;

  add({ loss, accuracy }: StepFigures): void {
    this.#loss += loss;
    if (accuracy !== undefined) this.#accuracy = (this.#accuracy ?? 0) + accuracy;
    this.#count++;
  }

  take(): Means {
    const [count, accuracy] = [this.#count, this.#accuracy];
    const means = {
      loss: this.#loss / count,
      ...(accuracy === undefined ? {} : { accuracy: accuracy / count }),
    };
    this.#loss = 0;
    this.#accuracy = undefined;
    this.#count = 0;
    return means;
  }
}
