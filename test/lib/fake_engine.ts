import type { Engine, EngineInfo, RequestUsage, SampleRequest } from "../../lib/engine/engine.js";
import { cancelled, SpctError } from "../../lib/errors.js";
import type { Completion } from "../../lib/types.js";

export interface Asked {
  /** Text of the prompt that the sample is drawn from. */
  prompt: string;
  seed: number;
  sample: number;
}

type Answer = string | { text: string; meta?: number; reason?: Completion["reason"] };

/** What the engine has written of a sample that is given up. */
export const abandonedTokens = 2;

/** An engine whose answers are scripted. Each sample takes a turn of the event loop; samples finish in reverse, or as told. */
export class FakeEngine implements Engine {
  readonly info: EngineInfo;
  readonly requests: SampleRequest[] = [];
  running = 0;
  mostRunning = 0;
  closed = false;

  constructor(
    private readonly answer: (asked: Asked) => Answer | Promise<Answer>,
    private readonly options: {
      hasHead?: boolean;
      finishing?: (samples: number[]) => number[];
    } = {},
  ) {
    this.info = {
      ...{ model: "fake.gguf", description: "scripted", architecture: "none", parameters: 0, sizeBytes: 0 },
      ...{ contextTokens: 4096, threads: 1, backend: "none", hasHead: options.hasHead ?? false },
      ...{ build: "cpu", instructions: [], llamaCommit: "none", kv: "unified", cacheTokens: 4096 },
    };
  }

  async sample(
    request: SampleRequest,
    onCompletion: (completion: Completion) => void,
    signal?: AbortSignal,
    enough?: AbortSignal,
  ): Promise<RequestUsage> {
    const { finishing = (samples) => samples.reverse() } = this.options;
    let unfinished = request.samples.length;
    this.requests.push(request);
    this.running++;
    this.mostRunning = Math.max(this.mostRunning, this.running);
    try {
      for (const sample of finishing([...request.samples.keys()])) {
        await new Promise((resolve) => setImmediate(resolve));
        if (enough?.aborted) break;
        unfinished--;
        const { prompt, seed } = request.samples[sample]!;
        const answer = await this.answer({ prompt: request.prompts[prompt]![0]!.content, seed, sample });
        if (this.closed) throw new SpctError("CLOSED", "The engine is closed");
        if (signal?.aborted) throw cancelled(signal);
        const { text, meta = null, reason = "stop" } = typeof answer === "string" ? { text: answer } : answer;
        onCompletion({
          sample,
          text,
          tokens: text.length,
          reason,
          meta,
          ...(request.logprobs ? spell(text) : {}),
        });
      }
    } finally {
      this.running--;
    }
    return {
      promptTokens: 100 * request.samples.length,
      promptTokensComputed: 100 * request.prompts.length,
      abandonedTokens: abandonedTokens * unfinished,
    };
  }

  score(): Promise<Float64Array> {
    throw new Error("a scripted engine has no probabilities");
  }

  tokenize(): Promise<Int32Array> {
    throw new Error("a scripted engine has no vocabulary");
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}

/** A token for each letter, all of them certain. */
function spell(text: string): Pick<Completion, "tokenIds" | "logprobs"> {
  const tokenIds = Int32Array.from(text, (letter) => letter.charCodeAt(0));
  return { tokenIds, logprobs: new Float32Array(tokenIds.length) };
}
