import { cancelled, SpctError } from "../errors.js";
import {
  instructionNames,
  loadAddon,
  type NativeEngine,
  type NativeEngineOptions,
  type NativeGroup,
  type NativeSampleEvent,
} from "../native.js";
import { ChatTemplate, opensThought } from "../prompt/chat.js";
import type { NativeTrainer } from "../train/native.js";
import type { Completion, FinishReason, Message } from "../types.js";
import type { Engine, EngineInfo, RequestUsage, SampleRequest, ScoreOptions } from "./engine.js";
import { scoreContinuations } from "./score.js";

export interface LocalEngineOptions extends NativeEngineOptions {
  /** Jinja source that takes the place of the model's own chat template. */
  chatTemplate?: string;
  /** Further variables of the chat template. */
  chatVariables?: Record<string, unknown>;
  /** When the options were measured, if they were; for `info`. */
  calibrated?: string;
}

/** A prompt as tokens; `prefix` is what the prompt has already begun of the answer. */
interface TokenizedPrompt {
  tokens: Int32Array;
  prefix: string;
}

/** What ends a request before its samples have: as a failure, or not. */
interface Endings {
  signal: AbortSignal | undefined;
  enough: AbortSignal | undefined;
}

/** llama.cpp in this process. */
export class LocalEngine implements Engine {
  readonly info: EngineInfo;
  readonly #native: NativeEngine;
  readonly #chat: ChatTemplate;
  readonly #chatVariables: Record<string, unknown> | undefined;
  #closing: Promise<void> | undefined;

  static async load(options: LocalEngineOptions): Promise<LocalEngine> {
    const { chatTemplate, chatVariables: _variables, calibrated: _measured, ...nativeOptions } = options;
    let native: NativeEngine;
    try {
      native = await loadAddon().loadEngine(nativeOptions);
    } catch (error) {
      throw SpctError.from(error, "ENGINE_FAILURE");
    }
    try {
      const source = chatTemplate ?? native.info.chatTemplate;
      if (source === null) {
        throw new SpctError(
          "NO_CHAT_TEMPLATE",
          `${options.modelPath} has no chat template; pass one as \`chatTemplate\` (Jinja source)`,
        );
      }
      return new LocalEngine(native, options, new ChatTemplate(source));
    } catch (error) {
      await native.close();
      throw error;
    }
  }

  private constructor(
    native: NativeEngine,
    { modelPath, chatVariables, calibrated }: LocalEngineOptions,
    chat: ChatTemplate,
  ) {
    const { description, architecture, parameters, sizeBytes, contextTokens, cacheTokens } = native.info;
    const { threads, backend, packedWeights, sharedAttention, kv, hasHead, headKind } = native.info;
    const system = loadAddon().systemInfo();
    this.info = {
      ...{
        model: modelPath,
        description,
        architecture,
        parameters,
        sizeBytes,
        contextTokens,
        threads,
        backend,
      },
      build: system.cuda ? "cuda" : "cpu",
      instructions: instructionNames(system),
      llamaCommit: system.llamaCommit,
      ...{ packedWeights, kv, cacheTokens, hasHead },
      ...(sharedAttention === undefined ? {} : { sharedAttention }),
      ...(headKind === undefined ? {} : { headKind }),
      ...(calibrated === undefined ? {} : { calibrated }),
    };
    this.#native = native;
    this.#chat = chat;
    this.#chatVariables = chatVariables;
  }

  async sample(
    request: SampleRequest,
    onCompletion: (completion: Completion) => void,
    signal?: AbortSignal,
    enough?: AbortSignal,
  ): Promise<RequestUsage> {
    try {
      this.#check(signal);
      const { maxTokens } = request;
      const prompts = await this.#tokenize(request);
      this.#check(signal);
      for (const { prompt, continuation } of request.samples) {
        this.#checkLength(prompts[prompt]!.tokens.length, continuation?.length ?? maxTokens);
      }
      const counts = await this.#run(request, prompts, onCompletion, { signal, enough });
      const promptTokens = request.samples.reduce(
        (sum, { prompt }) => sum + prompts[prompt]!.tokens.length,
        0,
      );
      return { promptTokens, ...counts };
    } catch (error) {
      throw SpctError.from(error, "ENGINE_FAILURE");
    }
  }

  score(
    prompt: Message[],
    continuations: readonly Int32Array[],
    options?: ScoreOptions,
  ): Promise<Float64Array> {
    return scoreContinuations(this, prompt, continuations, options);
  }

  async tokenize(text: string): Promise<Int32Array> {
    this.#check(undefined);
    try {
      return await this.#native.tokenizeContinued([{ text, special: false }]);
    } catch (error) {
      throw SpctError.from(error, "ENGINE_FAILURE");
    }
  }

  loadWeights(trainer: NativeTrainer): Promise<void> {
    return this.#update((native) => native.loadWeights(trainer));
  }

  loadHead(head: { weight: Float32Array; bias: number }): Promise<void> {
    return this.#update((native) => native.loadHead(head));
  }

  async #update(update: (native: NativeEngine) => Promise<void>): Promise<void> {
    try {
      this.#check(undefined);
      await update(this.#native);
    } catch (error) {
      throw SpctError.from(error, "ENGINE_FAILURE");
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#native.close();
    return this.#closing;
  }

  async #tokenize({ prompts, opensAnswer, answer }: SampleRequest): Promise<TokenizedPrompt[]> {
    const { bosToken, eosToken } = this.#native.info;
    const options = { bosToken, eosToken, generate: opensAnswer, variables: this.#chatVariables };
    const pieces = prompts.map((messages) => this.#chat.render(messages, options));
    const tokenized = await this.#native.tokenize(pieces);
    return tokenized.map((tokens, prompt) => {
      if (answer !== undefined) return { tokens: Int32Array.from([...tokens, ...answer]), prefix: "" };
      return { tokens, prefix: opensThought(pieces[prompt]!) ? "<think>" : "" };
    });
  }

  /** Resolves once every sample has been handed over or given up. */
  #run(
    request: SampleRequest,
    prompts: TokenizedPrompt[],
    onCompletion: (completion: Completion) => void,
    { signal, enough }: Endings,
  ): Promise<Omit<RequestUsage, "promptTokens">> {
    const { samples, sampling, maxTokens, logprobs, stop } = request;
    const group: NativeGroup = {
      prompts: prompts.map(({ tokens }) => tokens),
      samples,
      ...sampling,
      maxTokens,
      logprobs,
    };
    // A match inside of the thought that the prompt opened would end the sample too early.
    if (prompts.every(({ prefix }) => prefix === "")) group.stop = stop;
    return new Promise((resolve, reject) => {
      let open = samples.length;
      let abandonedTokens = 0;
      let failure: SpctError | undefined;
      const finish = (promptTokensComputed: number) => {
        for (const one of [signal, enough]) one?.removeEventListener("abort", cancel);
        if (failure === undefined) resolve({ promptTokensComputed, abandonedTokens });
        else reject(failure);
      };
      const onSample = (event: NativeSampleEvent) => {
        const givenUp = event.reason === "cancelled" && enough?.aborted === true && !signal?.aborted;
        const problem = givenUp ? undefined : this.#problemOf(event, signal);
        failure ??= problem;
        if (givenUp) {
          abandonedTokens += event.tokens.length;
        } else if (problem === undefined) {
          const { prefix } = prompts[samples[event.sample]!.prompt]!;
          onCompletion(toCompletion(event, prefix, logprobs));
        }
        if (--open === 0) finish(event.promptTokensComputed);
      };
      const id = this.#native.submit(group, onSample);
      const cancel = () => this.#native.cancel(id);
      for (const one of [signal, enough]) one?.addEventListener("abort", cancel, { once: true });
      if (enough?.aborted) cancel();
    });
  }

  #problemOf(event: NativeSampleEvent, signal: AbortSignal | undefined): SpctError | undefined {
    if (event.reason === "cancelled") return signal?.aborted ? cancelled(signal) : closed();
    if (event.reason === "error") return new SpctError(event.error!.code, event.error!.message);
    return undefined;
  }

  #check(signal: AbortSignal | undefined): void {
    if (signal?.aborted) throw cancelled(signal);
    if (this.#closing !== undefined) throw closed();
  }

  #checkLength(promptTokens: number, maxTokens: number): void {
    const { contextTokens } = this.info;
    if (promptTokens + maxTokens <= contextTokens) return;
    throw new SpctError(
      "CONTEXT_OVERFLOW",
      `context of ${contextTokens} tokens, the prompt has ${promptTokens} and the answer may take ${maxTokens}`,
    );
  }
}

function closed(): SpctError {
  return new SpctError("CLOSED", "The engine is closed");
}

function toCompletion(event: NativeSampleEvent, prefix: string, logprobs: boolean): Completion {
  const { sample, text, tokens, reason, meta } = event;
  return {
    sample,
    text: prefix + text,
    tokens: tokens.length,
    ...(logprobs ? { tokenIds: tokens, logprobs: event.logprobs ?? new Float32Array() } : {}),
    reason: reason as FinishReason,
    meta: meta !== null && Number.isFinite(meta) ? meta : null,
  };
}
