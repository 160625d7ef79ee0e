import ora from "ora";
import type { Terminal } from "./terminal.js";

/** A spinner on standard error; silent where no person watches. */
export interface Progress {
  say(text: string): void;
  stop(): void;
}

export function startProgress(terminal: Terminal, quiet: boolean, text: string): Progress {
  if (quiet || !terminal.interactive) return { say: () => undefined, stop: () => undefined };
  const spinner = ora({ text, stream: process.stderr, discardStdin: false }).start();
  return {
    say: (next) => {
      spinner.text = next;
    },
    stop: () => void spinner.stop(),
  };
}

/** `[=====     ] 5/12` */
export function bar(done: number, total: number, width = 24): string {
  const filled = Math.round((done / total) * width);
  return `[${"=".repeat(filled)}${" ".repeat(width - filled)}] ${done}/${total}`;
}
