import { SpctError } from "../errors.js";
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
    const ranking = new Ranking(this.#metaRm, onCompletion, failed, { stop, enough });
    const add = (completion: Completion) => {
      const { prompt } = request.samples[completion.sample]!;
      ranking.add(completion, (metaPrompts ?? request.prompts)[prompt]!);
    };
    let usage: RequestUsage;
    try {
      usage = await this.#judge.sample(request, add, stop, enough);
    } catch (error) {
      const cause = ranking.problem?.error ?? error;
      failed.abort();
      await ranking.ended();
      throw cause;
    }
    await ranking.ended();
    if (ranking.problem !== undefined) throw ranking.problem.error;
    const { abandonedTokens } = usage;
    return {
      ...usage,
      ...(typeof abandonedTokens === "number" && {
        abandonedTokens: abandonedTokens + ranking.abandonedTokens,
      }),
      metaTokens: ranking.tokens,
    };
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

/** A completion, and what the meta RM reads for it. */
interface Unrated {
  completion: Completion;
  messages: Message[];
}

/**
 * Hands completions over with their meta scores. Those that finish while others are read are read together next; those that wait
 * when there are enough are given up. One that is too long for the meta RM has none.
 */
class Ranking {
  problem: { error: unknown } | undefined;
  /** Read by the meta RM. */
  tokens = 0;
  /** Of the completions that were given up. */
  abandonedTokens = 0;
  #waiting: Unrated[] = [];
  #turn: Promise<void> = Promise.resolve();

  constructor(
    private readonly metaRm: Engine,
    private readonly onCompletion: (completion: Completion) => void,
    private readonly failed: AbortController,
    private readonly endings: { stop: AbortSignal; enough: AbortSignal | undefined },
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
    const waiting = this.#waiting.splice(0);
    if (this.problem !== undefined) return;
    try {
      await this.#read(waiting);
    } catch (error) {
      this.problem = { error };
      this.failed.abort();
    }
  }

  async #read(unrated: readonly Unrated[]): Promise<void> {
    if (this.endings.enough?.aborted) {
      for (const { completion } of unrated) this.abandonedTokens += completion.tokens;
      return;
    }
    try {
      const { promptTokens } = await this.metaRm.sample(
        {
          prompts: unrated.map(({ messages }) => messages),
          samples: unrated.map((_, prompt) => ({ prompt, seed: 0 })),
          sampling: { temperature: 0, topK: 0, topP: 1, minP: 0, order: "temperature-first" },
          ...{ opensAnswer: false, maxTokens: 0, logprobs: false },
        },
        ({ sample, meta }) => this.onCompletion({ ...unrated[sample]!.completion, meta }),
        this.endings.stop,
      );
      this.tokens += promptTokens;
    } catch (error) {
      if (!(error instanceof SpctError) || error.code !== "CONTEXT_OVERFLOW") throw error;
      await this.#readApart(unrated);
    }
  }

  /** An engine refuses prompts together when one of them is too long. */
  async #readApart(unrated: readonly Unrated[]): Promise<void> {
    if (unrated.length === 1) return this.onCompletion({ ...unrated[0]!.completion, meta: null });
    const middle = unrated.length >> 1;
    await this.#read(unrated.slice(0, middle));
    await this.#read(unrated.slice(middle));
  }
}
