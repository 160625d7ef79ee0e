// The other end of ProcessEngine: a LocalEngine behind the messages of protocol.ts. Ends when the parent does.
import { toPlainError } from "../errors.js";
import type { Completion } from "../types.js";
import type { RequestUsage } from "./engine.js";
import { LocalEngine, type LocalEngineOptions } from "./local.js";
import type { ToChild, ToParent } from "./protocol.js";

let engine: LocalEngine | undefined;
const running = new Map<number, { cancel: AbortController; enough: AbortController }>();

process.on("disconnect", () => process.exit());
process.on("message", (message: ToChild) => {
  switch (message.kind) {
    case "load":
      return void load(message.options);
    case "sample":
      return void sample(message);
    case "tokenize":
      return void answer(message.id, async () => engine!.tokenize(message.text));
    case "cancel":
    case "enough":
      return running.get(message.id)?.[message.kind].abort();
    case "close":
      return void close();
  }
});

function send(message: ToParent): void {
  process.send?.(message);
}

async function load(options: LocalEngineOptions): Promise<void> {
  try {
    engine = await LocalEngine.load(options);
    send({ kind: "loaded", info: engine.info });
  } catch (error) {
    send({ kind: "load-failed", error: toPlainError(error) });
  }
}

async function sample({ id, request }: Extract<ToChild, { kind: "sample" }>): Promise<void> {
  const [cancel, enough] = [new AbortController(), new AbortController()];
  running.set(id, { cancel, enough });
  const onCompletion = (completion: Completion) => send({ kind: "completion", id, completion });
  await answer(id, () => engine!.sample(request, onCompletion, cancel.signal, enough.signal));
  running.delete(id);
}

async function answer(id: number, work: () => Promise<RequestUsage | Int32Array>): Promise<void> {
  try {
    send({ kind: "done", id, result: await work() });
  } catch (error) {
    send({ kind: "failed", id, error: toPlainError(error) });
  }
}

async function close(): Promise<void> {
  await engine?.close();
  process.disconnect();
}
