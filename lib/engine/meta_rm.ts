import type { NativeTrainer } from "../train/native.js";
import type { Completion, Message } from "../types.js";
import type { Engine, EngineInfo, RequestUsage, SampleRequest, ScoreOptions } from "./engine.js";

/**
 * A judge's engine whose completions get their meta scores from a model of its own (section 3.3 of the paper): the meta RM reads
 * a prompt with the judgement as its answer, and the value of its head at the end is the score. Closing it closes both.
 */
export class MetaRmEngine implements Engine {
  readonly loadWeights?: (trainer: NativeTrainer) => Promise<void>;
  readonly #judge: Engine;
  readonly #metaRm: Engine;

  constructor(judge: Engine, metaRm: Engine) {
    this.#judge = judge;
    this.#metaRm = metaRm;
    if (judge.loadWeights !== undefined) this.loadWeights = (trainer) => judge.loadWeights!(trainer);
  }

  get info(): EngineInfo {
    return { ...this.#judge.info, hasHead: true, headKind: "meta", metaRm: this.#metaRm.info.model };
  }

  async sample(
    { metaPrompts, ...request }: SampleRequest,
    onCompletion: (completion: Completion) => void,
    signal?: AbortSignal,
    enough?: AbortSignal,
  ): Promise<RequestUsage> {
    const failed = new AbortController();
    const stop = signal === undefined ? failed.signal : AbortSignal.any([signal, failed.signal]);
    const ranking = new Ranking(this.#metaRm, onCompletion, failed, stop);
    const add = (completion: Completion) => {
      const { prompt } = request.samples[completion.sample]!;
      ranking.add(completion, (metaPrompts ?? request.prompts)[prompt]!);
    };
    let usage: RequestUsage;
    try {
      usage = await this.#judge.sample(request, add, stop, enough);
    } catch (error) {
      await ranking.ended();
      throw ranking.problem?.error ?? error;
    }
    await ranking.ended();
    if (ranking.problem !== undefined) throw ranking.problem.error;
    return { ...usage, metaTokens: ranking.tokens };
  }

  score(
    prompt: Message[],
    continuations: readonly Int32Array[],
    options?: ScoreOptions,
  ): Promise<Float64Array> {
    return this.#judge.score(prompt, continuations, options);
  }

  tokenize(text: string): Promise<Int32Array> {
    return this.#judge.tokenize(text);
  }

  async close(): Promise<void> {
    await Promise.all([this.#judge.close(), this.#metaRm.close()]);
  }
}

/** Hands completions over with their meta scores. Those that finish while others are read are read together next. */
class Ranking {
  problem: { error: unknown } | undefined;
  /** Read by the meta RM. */
  tokens = 0;
  #waiting: { completion: Completion; messages: Message[] }[] = [];
  #turn: Promise<void> = Promise.resolve();

  constructor(
    private readonly metaRm: Engine,
    private readonly onCompletion: (completion: Completion) => void,
    private readonly failed: AbortController,
    private readonly stop: AbortSignal,
  ) {}

  add(completion: Completion, prompt: Message[]): void {
    const messages = [...prompt, { role: "assistant", content: completion.text }];
    this.#waiting.push({ completion, messages });
    if (this.#waiting.length === 1) this.#turn = this.#turn.then(() => this.#readWaiting());
  }

  ended(): Promise<void> {
    return this.#turn;
  }

  async #readWaiting(): Promise<void> {
    const read = this.#waiting.splice(0);
    if (this.problem !== undefined) return;
    try {
      const { promptTokens } = await this.metaRm.sample(
        {
          prompts: read.map(({ messages }) => messages),
          samples: read.map((_, prompt) => ({ prompt, seed: 0 })),
          sampling: { temperature: 0, topK: 0, topP: 1, minP: 0, order: "temperature-first" },
          ...{ opensAnswer: false, maxTokens: 0, logprobs: false },
        },
        ({ sample, meta }) => this.onCompletion({ ...read[sample]!.completion, meta }),
        this.stop,
      );
      this.tokens += promptTokens;
    } catch (error) {
      this.problem = { error };
      this.failed.abort();
    }
  }
}
