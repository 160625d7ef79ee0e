import { createInterface } from "node:readline/promises";
import { styleText } from "node:util";

/** Where a command writes. Results go to standard output, everything else to standard error. */
export interface Terminal {
  print(text: string): void;
  warn(text: string): void;
  /** All of standard input. */
  readInput(): Promise<string>;
  /** Shows a question and waits for a line. */
  ask(question: string): Promise<string>;
  /** Whether nobody pipes anything into standard input. */
  readonly inputIsTerminal: boolean;
  /** Whether a person watches standard error, so that a spinner makes sense. */
  readonly interactive: boolean;
  /** Columns of standard output. */
  readonly width: number;
  readonly color: boolean;
}

/** One run of the program: a command sets the exit code. */
export interface Invocation {
  readonly terminal: Terminal;
  exitCode: number;
}

export const processTerminal: Terminal = {
  print: (text) => process.stdout.write(`${text}\n`),
  warn: (text) => process.stderr.write(`${text}\n`),
  readInput: async () => {
    const chunks: Buffer[] = [];
    for await (const chunk of process.stdin) chunks.push(chunk);
    return Buffer.concat(chunks).toString("utf8");
  },
  ask: async (question) => {
    const lines = createInterface({ input: process.stdin, output: process.stderr });
    try {
      return await lines.question(question);
    } finally {
      lines.close();
    }
  },
  inputIsTerminal: process.stdin.isTTY === true,
  // A terminal that does not know its width makes the spinner count lines without end.
  interactive: process.stderr.isTTY === true && process.stderr.columns > 0,
  width: Math.min(100, Math.max(40, process.stdout.columns ?? 80)),
  color: process.stdout.isTTY === true && !process.env.NO_COLOR,
};

export type Style = "bold" | "dim" | "green" | "red" | "yellow";

export function styler({ color }: Pick<Terminal, "color">): (style: Style, text: string) => string {
  return (style, text) => (color ? styleText(style, text) : text);
}

/** Text of others, made harmless: control characters could move the cursor or recolour what is above. */
export function printable(text: string): string {
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, "\ufffd");
}

/** Breaks lines at spaces so that none is longer than `width`; words longer than that are cut. */
export function wrap(text: string, width: number, indent = ""): string {
  const room = Math.max(10, width - indent.length);
  return text
    .split("\n")
    .flatMap((line) => wrapLine(line, room))
    .map((line) => (line === "" ? "" : indent + line))
    .join("\n");
}

function wrapLine(line: string, room: number): string[] {
  const lines: string[] = [];
  let current = "";
  for (const word of line.split(" ")) {
    const joined = current === "" ? word : `${current} ${word}`;
    if (joined.length <= room) {
      current = joined;
      continue;
    }
    if (current !== "") lines.push(current);
    current = word;
    while (current.length > room) {
      lines.push(current.slice(0, room));
      current = current.slice(room);
    }
  }
  lines.push(current);
  return lines;
}
