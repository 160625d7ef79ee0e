import type { Engine, EngineInfo, SampleRequest } from "./engine/engine.js";
import { invalidArgument, SpctError } from "./errors.js";
import { type Extraction, extractScores, extractWinner } from "./extract/scores.js";
import { stopPattern } from "./extract/stop.js";
import { judgeInOrder } from "./many.js";
import type { Manifest } from "./models.js";
import { type OpenJudge, openJudge } from "./open.js";
import { metaTurn, rewardPrompt } from "./prompt/reward.js";
import type { PromptTemplate } from "./prompt/template.js";
import { checkOrders, readQuery } from "./query.js";
import {
  type JudgeManyOptions,
  type JudgeOptions,
  type JudgeSettings,
  type LoadOptions,
  readJudgeOptions,
} from "./settings.js";
import type { NativeTrainer } from "./train/native.js";
import type { Completion, Message, Query, Sample, Verdict } from "./types.js";
import { ballotsBetweenLooks, isDecided, kMetaOf, looksAt, type WholeVote } from "./vote/decided.js";
import { uniform } from "./vote/draw.js";
import { balancedOrders, restoreOrder } from "./vote/orders.js";
import { tally, winners } from "./vote/tally.js";
import { type Drawn, drawInWaves, type Waves } from "./waves.js";

/** A generative reward model: judges responses by sampling k judgements and voting. */
export class Grm {
  readonly #engine: Engine;
  readonly #template: PromptTemplate;
  readonly #manifest: Manifest;
  readonly #metaTemplate: PromptTemplate | undefined;

  /** Loads a judge. Rejects with MODEL_NOT_FOUND, NOT_A_GGUF, MODEL_LOAD_FAILED, HEAD_NOT_FOUND, HEAD_MISMATCH,
   * NO_CHAT_TEMPLATE, BAD_CALIBRATION, OUT_OF_MEMORY, PACKING_UNAVAILABLE, PACKING_FAILED, ADDON_MISSING, REMOTE_FAILURE or
   * INVALID_ARGUMENT. */
  static async load(options: LoadOptions = {}): Promise<Grm> {
    return new Grm(await openJudge(options));
  }

  /** A judge over an engine of your own; `close()` closes it. */
  static over(engine: Engine, template: PromptTemplate, manifest: Manifest = {}): Grm {
    return new Grm({ engine, template, manifest });
  }

  private constructor({ engine, template, manifest, metaTemplate }: OpenJudge) {
    this.#engine = engine;
    this.#template = template;
    this.#manifest = manifest;
    this.#metaTemplate = metaTemplate;
  }

  get info(): EngineInfo & { template: string } {
    return { ...this.#engine.info, template: this.#template.name };
  }

  /** Judges one query. Rejects with INVALID_ARGUMENT, CONTEXT_OVERFLOW, CANCELLED, CLOSED, ENGINE_DIED or what failed in the
   * engine. A sample without readable scores is no failure: it is counted in `drawn`, not in `valid`, and has a `reason`. */
  async judge(query: Query, options: JudgeOptions = {}): Promise<Verdict> {
    const { contextTokens, hasHead } = this.#engine.info;
    const settings = readJudgeOptions(options, this.#manifest, contextTokens);
    const checked = readQuery(query, settings.answer);
    if (settings.kMeta !== undefined && !hasHead) {
      throw invalidArgument("kMeta", "a judge with a meta RM", settings.kMeta);
    }
    const orders = chooseOrders(settings, checked.responses.length);
    const request = toRequest(checked, settings, orders, this.#template);
    if (this.#metaTemplate !== undefined)
      request.metaPrompts = metaPrompts(this.#metaTemplate, checked, orders);
    const samples: Sample[] = [];
    const start = performance.now();
    const waves = wavesOf(settings, checked.responses.length, orders.length, samples);
    const drawn = await collect(this.#engine, request, settings, waves, (completion) => {
      const { prompt, seed } = request.samples[completion.sample]!;
      samples[completion.sample] = toSample(completion, orders[prompt]!, seed, settings);
      settings.onSample?.(samples[completion.sample]!, completion.sample);
    });
    const milliseconds = performance.now() - start;
    return toVerdict(samples, checked.responses.length, settings, hasHead, drawn, milliseconds);
  }

  /** Judges a stream of queries, several at a time; verdicts come in the order of the queries. Takes no more queries than it
   * can work on, and none while nobody takes its verdicts. */
  judgeMany(
    queries: Iterable<Query> | AsyncIterable<Query>,
    options: JudgeManyOptions = {},
  ): AsyncGenerator<Verdict, void, undefined> {
    const judge = (query: Query, each: JudgeOptions) => this.judge(query, each);
    return judgeInOrder(judge, queries, options, this.#engine.info.backend);
  }

  /** Takes a trainer's present weights when what is being judged has ended; see `Engine.loadWeights`. Rejects with
   * NOT_UPDATABLE, WEIGHTS_MISMATCH, BUSY or CLOSED. */
  async loadWeights(trainer: NativeTrainer): Promise<void> {
    if (this.#engine.loadWeights === undefined) {
      throw new SpctError("NOT_UPDATABLE", "Expected an engine in this process to load weights into");
    }
    await this.#engine.loadWeights(trainer);
  }

  /** Rejects what is being judged with CLOSED and frees the model. */
  close(): Promise<void> {
    return this.#engine.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function chooseOrders({ orderings, k, seed }: JudgeSettings, responses: number): number[][] {
  if (Array.isArray(orderings)) return checkOrders(orderings, responses);
  return balancedOrders(responses, Math.min(k, orderings ?? responses), seed);
}

function toRequest(
  query: Query,
  settings: JudgeSettings,
  orders: number[][],
  template: PromptTemplate,
): SampleRequest {
  const { k, seed, answer, sampling, maxTokens, logprobs, stopAtBox } = settings;
  const prompts = orders.map((order) => [
    { role: "user", content: rewardPrompt(template, query, order, answer) },
  ]);
  const samples = Array.from({ length: k }, (_, index) => ({
    prompt: index % orders.length,
    seed: seed + index,
  }));
  const pattern = stopPattern(answer, query.responses.length);
  const stop = stopAtBox ? { pattern, skip: { open: "<think>", close: "</think>" } } : undefined;
  return { prompts, samples, sampling, maxTokens, logprobs, stop };
}

function metaPrompts(template: PromptTemplate, query: Query, orders: number[][]): Message[][] {
  return orders.map((order) => [metaTurn(template, query, order)]);
}

/** All samples at once, or until the vote over `samples`, which fill up as they finish, is decided. */
function wavesOf(settings: JudgeSettings, responses: number, orderings: number, samples: Sample[]): Waves {
  const { k, kMeta, answer, earlyStop } = settings;
  if (earlyStop === undefined) return { atOnce: k, looks: [], isEnough: () => false };
  const vote: WholeVote = { k, kMeta, responses, kind: answer === "scores" ? "points" : "votes" };
  const looks = looksAt(k, orderings);
  const risk = earlyStop.flipRisk / (looks.length * Math.max(1, responses - 1));
  const step = ballotsBetweenLooks(orderings);
  return {
    atOnce: step * Math.ceil((earlyStop.atOnce ?? k) / step),
    looks,
    isEnough: (count) => isDecided(samples.slice(0, count), vote, risk),
  };
}

/** Draws the samples; an error that the caller's own callback throws ends it and is thrown on. */
async function collect(
  engine: Engine,
  request: SampleRequest,
  { signal }: JudgeSettings,
  waves: Waves,
  onCompletion: (completion: Completion) => void,
): Promise<Drawn> {
  const thrown = new AbortController();
  let problem: { error: unknown } | undefined;
  const stop = signal === undefined ? thrown.signal : AbortSignal.any([signal, thrown.signal]);
  const guarded = (completion: Completion) => {
    try {
      onCompletion(completion);
    } catch (error) {
      problem ??= { error };
      thrown.abort();
    }
  };
  try {
    const drawn = await drawInWaves(engine, request, waves, guarded, stop);
    if (problem === undefined) return drawn;
  } catch (error) {
    if (problem === undefined) throw SpctError.from(error, "ENGINE_FAILURE");
  }
  throw problem.error;
}

function toSample(completion: Completion, order: number[], seed: number, settings: JudgeSettings): Sample {
  const { text, meta, reason: finish, tokens, tokenIds, logprobs } = completion;
  const read = extract(text, order.length, settings);
  return {
    order,
    scores: read.scores === null ? null : restoreOrder(order, read.scores),
    ...(read.reason === undefined ? {} : { reason: read.reason }),
    meta,
    counted: false,
    text,
    seed,
    finish,
    tokens,
    ...(tokenIds === undefined ? {} : { tokenIds }),
    ...(logprobs === undefined ? {} : { logprobs }),
  };
}

function extract(text: string, responses: number, { answer, outOfRange }: JudgeSettings): Extraction {
  switch (answer) {
    case "winner":
      return extractWinner(text, responses);
    case "correctness":
      return extractScores(text, { responses, minimum: 0, maximum: 1, outOfRange });
    case "scores":
      return extractScores(text, { responses, outOfRange });
  }
}

function toVerdict(
  finished: Sample[],
  responses: number,
  { k, kMeta: kMetaOfAll, seed, earlyStop }: JudgeSettings,
  hasHead: boolean,
  { count, usage }: Drawn,
  milliseconds: number,
): Verdict {
  const samples = finished.slice(0, count);
  const kMeta = kMetaOf(count, { k, kMeta: kMetaOfAll });
  const { scores, counted, valid } = tally(samples, responses, { kMeta });
  for (const index of counted) samples[index]!.counted = true;
  const { promptTokens, promptTokensComputed, abandonedTokens = null, metaTokens } = usage;
  const kept = samples.reduce((sum, { tokens }) => sum + tokens, 0);
  const top = scores === null ? [] : winners(scores);
  return {
    best: top[Math.floor(uniform(seed) * top.length)] ?? null,
    ties: top.length > 1 ? top : [],
    scores,
    valid,
    k,
    drawn: count,
    kMeta: hasHead ? kMeta : null,
    samples,
    usage: {
      promptTokens,
      promptTokensComputed,
      generatedTokens: kept + (abandonedTokens ?? 0),
      ...(earlyStop === undefined ? {} : { abandonedTokens }),
      ...(metaTokens === undefined ? {} : { metaTokens }),
      milliseconds,
    },
  };
}
