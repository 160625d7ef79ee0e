import type { Terminal } from "../../../lib/cli/terminal.js";

/** A terminal of 80 columns that remembers what it was told. */
export class FakeTerminal implements Terminal {
  output: string[] = [];
  errors: string[] = [];
  readonly interactive = false;
  readonly width = 80;
  readonly color = false;

  constructor(
    private readonly input = "",
    readonly inputIsTerminal = false,
  ) {}

  print(text: string): void {
    this.output.push(text);
  }

  warn(text: string): void {
    this.errors.push(text);
  }

  async ask(question: string): Promise<string> {
    this.errors.push(question);
    return this.input;
  }

  async readInput(): Promise<string> {
    return this.input;
  }
}
