import { Template } from "@huggingface/jinja";
import { SpctError } from "../errors.js";

/** What a prompt template sees. Numbers that name a response count from 1, in the order shown. */
export interface PromptVariables {
  /** The conversation as one text: the question itself, or all turns with their roles. */
  query: string;
  conversation: { role: string; content: string }[];
  responses: string[];
  count: number;
  reference?: string;
  /** Given principles, one on a line. */
  principles?: string;
  /** Whether the answer is to begin with principles. */
  wants_principles: boolean;
  hint?: { best: number; strength?: string };
  answer: "scores" | "winner" | "correctness";
}

/** A Jinja file that makes the text of the user's turn. Values are inserted as they are, never parsed as Jinja. */
export class PromptTemplate {
  readonly name: string;
  readonly #template: Template;

  constructor(name: string, source: string) {
    this.name = name;
    this.#template = wrapFailure(name, () => new Template(source));
  }

  render(variables: PromptVariables): string {
    return wrapFailure(this.name, () => this.#template.render({ ...variables }));
  }
}

function wrapFailure<T>(name: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw new SpctError("BAD_TEMPLATE", `The template ${name} failed: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
