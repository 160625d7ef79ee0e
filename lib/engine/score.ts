import { invalidArgument } from "../errors.js";
import type { Completion, Message } from "../types.js";
import type { Engine, SampleRequest, Sampling, ScoreOptions } from "./engine.js";

const wholeDistribution: Sampling = { temperature: 1, topK: 0, topP: 1, minP: 0, order: "temperature-first" };

/** `Engine.score` by an engine's samples: one for each continuation, with nothing left to draw. */
export async function scoreContinuations(
  engine: Pick<Engine, "sample">,
  prompt: Message[],
  continuations: readonly Int32Array[],
  { answer, signal }: ScoreOptions = {},
): Promise<Float64Array> {
  if (continuations.length === 0) throw invalidArgument("continuations", "at least one", continuations);
  for (const [index, continuation] of continuations.entries()) {
    if (!(continuation instanceof Int32Array) || continuation.length === 0) {
      throw invalidArgument(`continuations[${index}]`, "an Int32Array of at least one token", continuation);
    }
  }
  const request: SampleRequest = {
    prompts: [prompt],
    ...(answer === undefined ? {} : { answer }),
    samples: continuations.map((continuation) => ({ prompt: 0, seed: 0, continuation })),
    sampling: wholeDistribution,
    maxTokens: 0,
    logprobs: true,
  };
  const sums = new Float64Array(continuations.length);
  const add = ({ sample, logprobs }: Completion) => {
    for (const logprob of logprobs!) sums[sample]! += logprob;
  };
  await engine.sample(request, add, signal);
  return sums;
}
