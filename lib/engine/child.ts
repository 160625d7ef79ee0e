// The other end of ProcessEngine: a LocalEngine behind the messages of protocol.ts. Ends when the parent does.
import { toPlainError } from "../errors.js";
import { LocalEngine, type LocalEngineOptions } from "./local.js";
import type { ToChild, ToParent } from "./protocol.js";

let engine: LocalEngine | undefined;
const running = new Map<number, AbortController>();

process.on("disconnect", () => process.exit());
process.on("message", (message: ToChild) => {
  switch (message.kind) {
    case "load":
      return void load(message.options);
    case "sample":
      return void sample(message);
    case "cancel":
      return running.get(message.id)?.abort();
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
  const controller = new AbortController();
  running.set(id, controller);
  try {
    const usage = await engine!.sample(
      request,
      (completion) => send({ kind: "completion", id, completion }),
      controller.signal,
    );
    send({ kind: "done", id, usage });
  } catch (error) {
    send({ kind: "failed", id, error: toPlainError(error) });
  } finally {
    running.delete(id);
  }
}

async function close(): Promise<void> {
  await engine?.close();
  process.disconnect();
}
