import type { Engine, EngineInfo, SampleRequest } from "./engine/engine.js";
import { LocalEngine } from "./engine/local.js";
import { ProcessEngine } from "./engine/process.js";
import { SpctError } from "./errors.js";
import { stopPattern } from "./extract/stop.js";
import { findModel, type Manifest } from "./models.js";
import { calibrated } from "./open.js";
import { rewardPrompt } from "./prompt/reward.js";
import { pairPrompt, type ScalarPrompt, scalarPrompt } from "./prompt/scalar.js";
import type { PromptTemplate } from "./prompt/template.js";
import { readQuery } from "./query.js";
import { type JudgeOptions, type LoadOptions, readJudgeOptions, readLoadOptions } from "./settings.js";
import { loadTemplate } from "./templates.js";
import type { Completion, Query } from "./types.js";

/** A critique of one response, and the head's value at its end. */
export interface Critique {
  text: string;
  value: number;
  tokens: number;
}

/** A model with a scalar reward head: reads values instead of writing scores. */
export class RewardModel {
  readonly #engine: Engine;
  readonly #template: PromptTemplate | undefined;
  readonly #manifest: Manifest;

  /** Loads a model and the reward head beside it, or the one that `meta` names. Rejects as Grm.load does, with HEAD_NOT_FOUND
   * without a head, and with HEAD_MISMATCH for a meta RM's. */
  static async load(options: LoadOptions): Promise<RewardModel> {
    const { model, meta, isolation, template, ...engineOptions } = readLoadOptions(options);
    const { modelPath, headPath, metaRm, manifest } = await findModel(model, meta ?? "fused");
    if (metaRm !== undefined)
      throw new SpctError(
        "HEAD_MISMATCH",
        `Expected a reward head on ${modelPath} but ${metaRm.modelPath} is a model of its own`,
      );
    const name = template ?? manifest.template;
    const prompts = name === undefined ? undefined : await loadTemplate(name);
    const engine = isolation === "process" ? ProcessEngine : LocalEngine;
    const loaded = await engine.load(calibrated({ ...engineOptions, modelPath, headPath }));
    const { headKind } = loaded.info;
    if (headKind === "reward") return new RewardModel(loaded, prompts, manifest);
    await loaded.close();
    throw new SpctError(
      "HEAD_MISMATCH",
      `Expected a reward head in ${headPath} but it is of kind ${headKind}`,
    );
  }

  /** A reward model over an engine of your own; `close()` closes it. */
  static over(engine: Engine, template?: PromptTemplate, manifest: Manifest = {}): RewardModel {
    return new RewardModel(engine, template, manifest);
  }

  private constructor(engine: Engine, template: PromptTemplate | undefined, manifest: Manifest) {
    this.#engine = engine;
    this.#template = template;
    this.#manifest = manifest;
  }

  get info(): EngineInfo & { template: string | null } {
    return { ...this.#engine.info, template: this.#template?.name ?? null };
  }

  /** The reward of each response, read alone. Rejects as Grm.judge does. */
  async scores(query: Query, signal?: AbortSignal): Promise<number[]> {
    const checked = readQuery(query, "scores");
    const prompts = checked.responses.map((_, index) => scalarPrompt(this.#template, checked, index));
    return this.#values(prompts, signal);
  }

  /** For each pair of responses how much the one shown first is preferred: a value above 0 prefers it. */
  async preferences(
    query: Query,
    pairs: readonly [number, number][],
    signal?: AbortSignal,
  ): Promise<number[]> {
    const checked = readQuery(query, "winner");
    const template = this.#templateFor("a pair of responses");
    return this.#values(
      pairs.map((pair) => pairPrompt(template, checked, pair)),
      signal,
    );
  }

  /** For each response k critiques of it alone. */
  async critiques(query: Query, options: JudgeOptions = {}): Promise<Critique[][]> {
    const checked = readQuery(query, "scores");
    const { contextTokens } = this.#engine.info;
    const { k, seed, sampling, maxTokens, signal } = readJudgeOptions(options, this.#manifest, contextTokens);
    const template = this.#templateFor("critiques");
    const prompts = checked.responses.map((_, index) => [
      { role: "user", content: rewardPrompt(template, checked, [index], "scores") },
    ]);
    const samples = prompts.flatMap((_, prompt) =>
      Array.from({ length: k }, (_, sample) => ({ prompt, seed: seed + prompt * k + sample })),
    );
    const stop = { pattern: stopPattern("scores", 1), skip: { open: "<think>", close: "</think>" } };
    const request = { prompts, samples, sampling, maxTokens, logprobs: false, stop };
    const completions = await this.#complete(request, signal);
    const critiques = completions.map(({ text, tokens, meta }) => ({ text, tokens, value: meta! }));
    return prompts.map((_, index) => critiques.slice(index * k, (index + 1) * k));
  }

  close(): Promise<void> {
    return this.#engine.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #values(prompts: readonly ScalarPrompt[], signal: AbortSignal | undefined): Promise<number[]> {
    const { sampling } = readJudgeOptions({}, this.#manifest, this.#engine.info.contextTokens);
    const request = {
      prompts: prompts.map(({ messages }) => messages),
      opensAnswer: prompts[0]!.opensAnswer,
      samples: prompts.map((_, prompt) => ({ prompt, seed: 0 })),
      ...{ sampling, maxTokens: 0, logprobs: false },
    };
    return (await this.#complete(request, signal)).map(({ meta }) => meta!);
  }

  /** The completions in the order of the samples, each with a value. */
  async #complete(request: SampleRequest, signal: AbortSignal | undefined): Promise<Completion[]> {
    const completions: Completion[] = [];
    const keep = (completion: Completion) => {
      completions[completion.sample] = completion;
    };
    await this.#engine.sample(request, keep, signal);
    if (completions.every(({ meta }) => meta !== null)) return completions;
    throw new SpctError("NUMERICAL_FAILURE", "The head's value is not finite");
  }

  #templateFor(what: string): PromptTemplate {
    if (this.#template !== undefined) return this.#template;
    throw new SpctError(
      "INVALID_ARGUMENT",
      `Expected a prompt template for ${what}; pass one as \`template\``,
    );
  }
}
