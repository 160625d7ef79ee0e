import { setTimeout as sleep } from "node:timers/promises";
import { cancelled, SpctError } from "../errors.js";
import type { Completion } from "../types.js";
import type { Engine, EngineInfo, RequestUsage, SampleRequest } from "./engine.js";
import { type ChatAnswer, readAnswer, readModels } from "./remote_answer.js";
import { type RemoteEngineOptions, readRemoteOptions } from "./remote_options.js";
import { cutAtStop } from "./remote_stop.js";
import { Slots } from "./slots.js";

const longestWait = 60_000;
const longestExcerpt = 300;

/**
 * A server with OpenAI's chat completions: vLLM, SGLang, llama-server. One request for each sample, as servers disagree on the
 * seeds of several samples of one request; the server's own prefix cache shares the prompt. The server applies the model's chat
 * template. A pattern cannot be sent as a stop, so texts are cut where it would have ended them.
 */
export class RemoteEngine implements Engine {
  readonly info: EngineInfo;
  readonly #options: ReturnType<typeof readRemoteOptions>;
  readonly #slots: Slots;
  readonly #closed = new AbortController();

  /** Rejects with INVALID_ARGUMENT, or REMOTE_FAILURE if the server does not answer or does not have the model. */
  static async load(options: RemoteEngineOptions): Promise<RemoteEngine> {
    const engine = new RemoteEngine(options);
    const once = { retries: 0 }; // a wrong address should be known at once
    const models = readModels(await engine.#ask("GET", "/models", undefined, engine.#closed.signal, once));
    const { url, model } = engine.#options;
    const found = models.find(({ id }) => id === model);
    if (found === undefined) {
      const names = models.map(({ id }) => id).join(", ");
      throw new SpctError(
        "REMOTE_FAILURE",
        `Expected one of the models of ${url} (${names}) but received ${model}`,
      );
    }
    engine.info.contextTokens = found.contextTokens;
    return engine;
  }

  private constructor(given: RemoteEngineOptions) {
    const { url, ...options } = readRemoteOptions(given);
    const base = url.replace(/\/+$/, "").replace(/\/v1$/, "");
    this.#options = { ...options, url: `${base}/v1` };
    this.#slots = new Slots(this.#options.parallel);
    this.info = {
      ...{ model: options.model, description: `served at ${this.#options.url}`, architecture: "unknown" },
      ...{ parameters: 0, sizeBytes: 0, contextTokens: 0, threads: 0, backend: "remote", hasHead: false },
    };
  }

  async sample(
    request: SampleRequest,
    onCompletion: (completion: Completion) => void,
    signal?: AbortSignal,
    enough?: AbortSignal,
  ): Promise<RequestUsage> {
    if (
      request.answer !== undefined ||
      request.samples.some(({ continuation }) => continuation !== undefined)
    )
      throw unsupported("samples that go on with given tokens");
    const failed = new AbortController();
    const given = [signal, enough].filter((one) => one !== undefined);
    const stopped = AbortSignal.any([failed.signal, this.#closed.signal, ...given]);
    let promptTokens = 0;
    const draw = async (sample: number) => {
      const answer = await this.#slots.run(() => this.#draw(request, sample, stopped));
      promptTokens += answer.promptTokens;
      onCompletion(toCompletion(sample, answer, request));
    };
    const running = [...request.samples.keys()].map((sample) =>
      draw(sample).catch((error: unknown) => {
        failed.abort();
        throw error;
      }),
    );
    const outcomes = await Promise.allSettled(running);
    if (signal?.aborted) throw cancelled(signal);
    if (this.#closed.signal.aborted) throw new SpctError("CLOSED", "The engine is closed");
    const failures = outcomes.filter((outcome) => outcome.status === "rejected").map(({ reason }) => reason);
    // Those that were only stopped, because another one failed or there are enough, say nothing.
    const failure =
      failures.find((one) => !isAbort(one)) ?? (enough?.aborted === true ? undefined : failures[0]);
    if (failure !== undefined) throw failure;
    const abandonedTokens = failures.length > 0 ? null : 0; // a server does not say what it had written
    return { promptTokens, promptTokensComputed: null, abandonedTokens };
  }

  async score(): Promise<Float64Array> {
    throw unsupported("probabilities of given tokens");
  }

  async tokenize(): Promise<Int32Array> {
    throw unsupported("tokens of a text");
  }

  async close(): Promise<void> {
    this.#closed.abort();
  }

  async #draw(request: SampleRequest, sample: number, signal: AbortSignal): Promise<ChatAnswer> {
    const { prompts, samples, sampling, maxTokens, logprobs } = request;
    const { prompt, seed } = samples[sample]!;
    const body = {
      model: this.#options.model,
      messages: prompts[prompt]!,
      temperature: sampling.temperature,
      top_p: sampling.topP,
      top_k: sampling.topK === 0 ? -1 : sampling.topK, // what all three servers read as no limit
      min_p: sampling.minP,
      seed: seed % 2 ** 31, // the widest range that all of them take
      max_tokens: maxTokens,
      ...(logprobs ? { logprobs: true } : {}),
    };
    return readAnswer(await this.#ask("POST", "/chat/completions", body, signal));
  }

  /** Sends a request until it is answered, refused for good, or given up. */
  async #ask(
    method: "GET" | "POST",
    path: string,
    body: object | undefined,
    signal: AbortSignal,
    { retries } = { retries: this.#options.retries },
  ): Promise<unknown> {
    const { url, apiKey, timeoutSeconds, retrySeconds } = this.#options;
    const headers: Record<string, string> = { "content-type": "application/json" };
    if (apiKey !== undefined) headers.authorization = `Bearer ${apiKey}`;
    const timeout = Math.ceil(1000 * timeoutSeconds);
    for (let attempt = 0; ; attempt++) {
      signal.throwIfAborted();
      let problem: Problem;
      try {
        const response = await fetch(url + path, {
          method,
          headers,
          body: body && JSON.stringify(body),
          signal: AbortSignal.any([signal, AbortSignal.timeout(timeout)]),
        });
        const text = this.#withoutKey(await response.text());
        if (response.ok) return parse(text, url + path);
        problem = problemOf(response, text);
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof SpctError) throw error;
        problem = { message: reasonOf(error, timeoutSeconds), passes: true, cause: error };
      }
      if (!problem.passes || attempt >= retries) {
        const tries = attempt === 0 ? "" : ` (tried ${attempt + 1} times)`;
        const { code = "REMOTE_FAILURE", message, cause } = problem;
        throw new SpctError(code, `${url}${path}: ${message}${tries}`, { cause });
      }
      const wait = problem.wait ?? 1000 * retrySeconds * 2 ** attempt;
      await sleep(Math.min(longestWait, wait), undefined, { signal });
    }
  }

  #withoutKey(text: string): string {
    const { apiKey } = this.#options;
    return apiKey === undefined ? text : text.replaceAll(apiKey, "***");
  }
}

/** Why a request was not answered, and whether it may be another time. */
interface Problem {
  message: string;
  passes: boolean;
  code?: string;
  /** Milliseconds that the server asks to wait. */
  wait?: number;
  cause?: unknown;
}

function problemOf({ status, headers }: Response, body: string): Problem {
  const seconds = Number(headers.get("retry-after") ?? Number.NaN);
  const overflow = status === 400 && /context.{0,20}(length|size|window)/i.test(body);
  return {
    message: `status ${status}: ${body.slice(0, longestExcerpt).trim()}`,
    passes: status === 429 || status >= 500,
    ...(overflow ? { code: "CONTEXT_OVERFLOW" } : {}),
    ...(seconds >= 0 ? { wait: 1000 * seconds } : {}),
  };
}

function reasonOf(error: unknown, timeoutSeconds: number): string {
  if (error instanceof DOMException && error.name === "TimeoutError")
    return `no answer in ${timeoutSeconds} s`;
  const { message, cause } = error as Error;
  return cause instanceof Error ? `${message} (${cause.message})` : message; // fetch hides what failed in the cause
}

function parse(text: string, place: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const excerpt = text.slice(0, longestExcerpt);
    throw new SpctError("REMOTE_FAILURE", `${place}: expected JSON but received ${excerpt}`, {
      cause: error,
    });
  }
}

function toCompletion(sample: number, answer: ChatAnswer, { stop, logprobs }: SampleRequest): Completion {
  const { text, finish, tokens, pieces } = answer;
  const end = stop === undefined ? undefined : cutAtStop(text, stop);
  const kept = end === undefined ? pieces : piecesUpTo(pieces, end);
  return {
    sample,
    text: text.slice(0, end),
    tokens: kept?.length ?? tokens,
    ...(logprobs && kept !== undefined
      ? { logprobs: Float32Array.from(kept, ({ logprob }) => logprob) }
      : {}),
    reason: end !== undefined ? "stop" : finish,
    meta: null,
  };
}

function piecesUpTo(pieces: ChatAnswer["pieces"], end: number): ChatAnswer["pieces"] {
  let length = 0;
  return pieces?.filter(({ token }) => {
    const before = length < end;
    length += token.length;
    return before;
  });
}

function unsupported(what: string): SpctError {
  return new SpctError("UNSUPPORTED", `A remote engine does not give ${what}`);
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === "AbortError";
}
