import { fileURLToPath } from "node:url";
import { cancelled, SpctError } from "../errors.js";
import type { Completion, Message } from "../types.js";
import { Connection } from "./connection.js";
import type { Engine, EngineInfo, RequestUsage, SampleRequest, ScoreOptions } from "./engine.js";
import type { LocalEngineOptions } from "./local.js";
import { scoreContinuations } from "./score.js";

const childFile = fileURLToPath(new URL("./child.js", import.meta.url));

/**
 * llama.cpp in a process of its own, for models and texts that are not trusted: what aborts it does not end this process.
 * When the child dies, everything that ran in it rejects with ENGINE_DIED; the next request starts a new child. Nothing is
 * tried again by itself, as the same input may kill the next child too.
 */
export class ProcessEngine implements Engine {
  readonly info: EngineInfo;
  readonly #options: LocalEngineOptions;
  #connection: Promise<Connection>;
  #closed = false;

  static async load(options: LocalEngineOptions): Promise<ProcessEngine> {
    return new ProcessEngine(options, await Connection.open(childFile, options));
  }

  private constructor(options: LocalEngineOptions, connection: Connection) {
    this.#options = options;
    this.#connection = Promise.resolve(connection);
    this.info = connection.info;
  }

  /** Id of the child's process, or undefined while there is none. */
  async pid(): Promise<number | undefined> {
    const connection = await this.#connection;
    return connection.dead ? undefined : connection.pid;
  }

  async sample(
    request: SampleRequest,
    onCompletion: (completion: Completion) => void,
    signal?: AbortSignal,
    enough?: AbortSignal,
  ): Promise<RequestUsage> {
    if (signal?.aborted) throw cancelled(signal);
    const connection = await this.#connect();
    if (signal?.aborted) throw cancelled(signal);
    return connection.sample(request, onCompletion, signal, enough);
  }

  score(
    prompt: Message[],
    continuations: readonly Int32Array[],
    options?: ScoreOptions,
  ): Promise<Float64Array> {
    return scoreContinuations(this, prompt, continuations, options);
  }

  async tokenize(text: string): Promise<Int32Array> {
    return (await this.#connect()).tokenize(text);
  }

  async close(): Promise<void> {
    this.#closed = true;
    const connection = await this.#connection.catch(() => undefined);
    await connection?.close();
  }

  async #connect(): Promise<Connection> {
    const current = this.#connection;
    const connection = await current.catch(() => undefined);
    if (this.#closed) throw new SpctError("CLOSED", "The engine is closed");
    if (connection !== undefined && !connection.dead) return connection;
    // Of several requests that find the child dead, the first one starts the new child.
    if (this.#connection === current) this.#connection = Connection.open(childFile, this.#options);
    return this.#connection;
  }
}
