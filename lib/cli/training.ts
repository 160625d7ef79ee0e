import { SpctError } from "../errors.js";

/** Commander parser of `--type`. */
export function toMatrixType(text: string): string {
  if (["f32", "f16", "q8_0"].includes(text)) return text;
  throw new SpctError("INVALID_ARGUMENT", `Expected f32, f16 or q8_0 for --type but received ${text}`);
}

/** Commander parser of `--device`. */
export function toDevice(text: string): string {
  if (["cpu", "gpu"].includes(text)) return text;
  throw new SpctError("INVALID_ARGUMENT", `Expected cpu or gpu for --device but received ${text}`);
}

/** Ctrl-C ends the training after the step in hand; a second one ends the process. */
export function stopOnInterrupt(): { signal: AbortSignal; release: () => void } {
  const controller = new AbortController();
  const abort = () => controller.abort();
  process.once("SIGINT", abort);
  return { signal: controller.signal, release: () => void process.off("SIGINT", abort) };
}
