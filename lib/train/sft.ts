import { type ExampleSource, toBatch } from "./dataset.js";
import type { NativeTrainer } from "./native.js";
import { type StepsOptions, type StepsReport, type StepsResult, takeSteps } from "./steps.js";

export type SftOptions = StepsOptions;
/** The loss is in nats per completion token. */
export type SftReport = StepsReport;
export type SftResult = StepsResult;

/** Supervised fine-tuning, as `takeSteps` goes. */
export function trainSft(
  trainer: NativeTrainer,
  examples: ExampleSource,
  options: SftOptions,
): Promise<SftResult> {
  const take = async (step: number, rate: number) => trainer.step(toBatch(await examples(step)), rate);
  return takeSteps(trainer, take, options);
}
