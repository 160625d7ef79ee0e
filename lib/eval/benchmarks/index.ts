import { SpctError } from "../../errors.js";
import type { Benchmark } from "../benchmark.js";
import { custom } from "./custom.js";
import { evalBias } from "./evalbias.js";
import { gsm8k } from "./gsm8k.js";
import { judgeBench } from "./judgebench.js";
import { llmBar } from "./llmbar.js";
import { ppeCorrectness, ppePreference } from "./ppe.js";
import { realMistake } from "./realmistake.js";
import { rewardBench } from "./rewardbench.js";
import { rewardBench2 } from "./rewardbench2.js";
import { rmb } from "./rmb.js";
import { rmBench } from "./rmbench.js";

export const benchmarks: readonly Benchmark[] = [
  rewardBench,
  rewardBench2,
  ppePreference,
  ppeCorrectness,
  rmb,
  realMistake,
  judgeBench,
  rmBench,
  llmBar,
  evalBias,
  gsm8k,
  custom,
];

/** Throws INVALID_ARGUMENT for a name that is none of them. */
export function findBenchmark(name: string): Benchmark {
  const found = benchmarks.find((benchmark) => benchmark.name === name);
  if (found !== undefined) return found;
  const names = benchmarks.map((benchmark) => benchmark.name).join(", ");
  throw new SpctError(
    "INVALID_ARGUMENT",
    `Expected one of ${names} for benchmark but received ${JSON.stringify(name)}`,
  );
}
