import { existsSync } from "node:fs";
import { appendFile } from "node:fs/promises";
import { type ExampleSource, toBatch } from "./dataset.js";
import type { NativeTrainer } from "./native.js";
import { learningRate, type Schedule } from "./schedule.js";

export interface SftOptions {
  schedule: Schedule;
  /** Written every `checkpointEvery` steps and when the run is stopped. */
  checkpointPath?: string;
  checkpointEvery?: number;
  /** JSONL, one line every `reportEvery` steps. */
  logPath?: string;
  reportEvery?: number;
  signal?: AbortSignal;
  onReport?: (report: SftReport) => void;
}

export interface SftReport {
  step: number;
  steps: number;
  /** Mean loss since the last report, nats per completion token. */
  loss: number;
  gradientNorm: number;
  learningRate: number;
  /** Tokens seen by this process, and how many each second. */
  tokens: number;
  tokensPerSecond: number;
  secondsLeft: number;
}

export interface SftResult {
  finished: boolean;
  steps: number;
  loss: number;
}

/**
 * Supervised fine-tuning from where `trainer` stands to the schedule's last step. An aborted signal ends it after the step in
 * hand, with a checkpoint; opening that checkpoint and calling again continues exactly.
 */
export async function trainSft(
  trainer: NativeTrainer,
  examples: ExampleSource,
  options: SftOptions,
): Promise<SftResult> {
  const { schedule, checkpointPath, checkpointEvery = 500, logPath, reportEvery = 50, signal } = options;
  const first = trainer.info.stepsDone;
  const start = performance.now();
  const window = new Window();
  let tokens = 0;
  let loss = Number.NaN;
  let step = first;
  for (; step < schedule.steps && !signal?.aborted; step++) {
    const rate = learningRate(schedule, step);
    const result = await trainer.step(toBatch(await examples(step)), rate);
    tokens += result.tokens;
    window.add(result.loss);
    const done = step + 1;
    if (done % reportEvery === 0 || done === schedule.steps) {
      const seconds = (performance.now() - start) / 1000;
      loss = window.take();
      const report: SftReport = {
        step: done,
        steps: schedule.steps,
        loss,
        gradientNorm: result.gradientNorm,
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
  return { finished: step >= schedule.steps, steps: step, loss };
}

class Window {
  #sum = 0;
  #count = 0;

  add(value: number): void {
    this.#sum += value;
    this.#count++;
  }

  take(): number {
    const mean = this.#sum / this.#count;
    this.#sum = 0;
    this.#count = 0;
    return mean;
  }
}
