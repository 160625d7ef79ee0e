import { type ChildProcess, fork } from "node:child_process";
import type { Socket } from "node:net";
import { cancelled, type PlainError, SpctError } from "../errors.js";
import type { Completion } from "../types.js";
import type { EngineInfo, RequestUsage, SampleRequest } from "./engine.js";
import type { LocalEngineOptions } from "./local.js";
import type { ToChild, ToParent } from "./protocol.js";

interface Pending {
  onCompletion?: (completion: Completion) => void;
  resolve: (result: never) => void;
  reject: (error: SpctError) => void;
}

/** One child process with a loaded model. Keeps this process alive only while something runs in it. */
export class Connection {
  /** Whether the child has ended; then every request rejects. */
  dead = false;
  #info: EngineInfo | undefined;
  readonly #child: ChildProcess;
  readonly #pending = new Map<number, Pending>();
  #nextId = 0;
  #closing = false;
  #lastWords = "";

  static open(file: string, options: LocalEngineOptions): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const connection: Connection = new Connection(file, options, () => resolve(connection), reject);
    });
  }

  private constructor(
    file: string,
    options: LocalEngineOptions,
    onLoaded: () => void,
    onFailed: (error: SpctError) => void,
  ) {
    this.#child = fork(file, [], {
      serialization: "advanced",
      execArgv: [],
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    this.#child.stderr!.setEncoding("utf8").on("data", (text: string) => {
      this.#lastWords = (this.#lastWords + text).slice(-4000);
    });
    this.#child.on("message", (message: ToParent) => {
      if (message.kind === "loaded") {
        this.#info = message.info;
        this.#hold(false);
        onLoaded();
      } else if (message.kind === "load-failed") {
        this.dead = true;
        this.#child.kill();
        onFailed(toError(message.error));
      } else {
        this.#receive(message);
      }
    });
    this.#child.on("error", (error) => this.#die(error.message, onFailed));
    this.#child.on("close", (code, signal) => this.#die(signal ?? `exit code ${code}`, onFailed));
    this.#post({ kind: "load", options });
  }

  get info(): EngineInfo {
    return this.#info!;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  sample(
    request: SampleRequest,
    onCompletion: (completion: Completion) => void,
    signal: AbortSignal | undefined,
    enough: AbortSignal | undefined,
  ): Promise<RequestUsage> {
    const id = this.#nextId++;
    const cancel = () => this.#post({ kind: "cancel", id });
    const end = () => this.#post({ kind: "enough", id });
    signal?.addEventListener("abort", cancel, { once: true });
    enough?.addEventListener("abort", end, { once: true });
    const answer = this.#ask<RequestUsage>({ kind: "sample", id, request }, onCompletion);
    if (enough?.aborted) end();
    return answer
      .catch((error: SpctError) => {
        throw error.code === "CANCELLED" && signal?.aborted ? cancelled(signal) : error;
      })
      .finally(() => {
        signal?.removeEventListener("abort", cancel);
        enough?.removeEventListener("abort", end);
      });
  }

  tokenize(text: string): Promise<Int32Array> {
    return this.#ask({ kind: "tokenize", id: this.#nextId++, text });
  }

  close(): Promise<void> {
    this.#closing = true;
    if (this.dead) return Promise.resolve();
    this.#hold(true);
    const ended = new Promise<void>((resolve) => this.#child.once("close", () => resolve()));
    this.#post({ kind: "close" });
    return ended;
  }

  #ask<Result>(
    message: Extract<ToChild, { kind: "sample" | "tokenize" }>,
    onCompletion?: (completion: Completion) => void,
  ): Promise<Result> {
    if (this.#closing) return Promise.reject(new SpctError("CLOSED", "The engine is closed"));
    this.#hold(true);
    const answer = new Promise<Result>((resolve, reject) => {
      this.#pending.set(message.id, { onCompletion, resolve, reject });
      this.#post(message);
    });
    return answer.finally(() => {
      if (this.#pending.size === 0) this.#hold(false);
    });
  }

  #receive(message: Exclude<ToParent, { kind: "loaded" | "load-failed" }>): void {
    const pending = this.#pending.get(message.id);
    if (pending === undefined) return; // settled by the child's death
    if (message.kind === "completion") {
      pending.onCompletion?.(message.completion);
      return;
    }
    this.#pending.delete(message.id);
    if (message.kind === "done") pending.resolve(message.result as never);
    else pending.reject(toError(message.error));
  }

  #die(how: string, onFailed: (error: SpctError) => void): void {
    this.dead = true;
    const words = this.#lastWords.trim().split("\n").at(-1);
    const error = this.#closing
      ? new SpctError("CLOSED", "The engine is closed")
      : new SpctError("ENGINE_DIED", `The engine's process ended (${how})${words ? `: ${words}` : ""}`);
    onFailed(error); // of no effect once the model is loaded
    for (const pending of this.#pending.values()) pending.reject(error);
    this.#pending.clear();
  }

  #post(message: ToChild): void {
    // A message that cannot be delivered needs no report of its own: the child's end rejects every request.
    if (this.#child.connected) this.#child.send(message, () => undefined);
  }

  #hold(alive: boolean): void {
    const handles = [this.#child, this.#child.channel, this.#child.stderr as Socket | null];
    for (const handle of handles) {
      if (alive) handle?.ref();
      else handle?.unref();
    }
  }
}

function toError({ code, message }: PlainError): SpctError {
  return new SpctError(code, message);
}
