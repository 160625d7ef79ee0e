import { Template } from "@huggingface/jinja";
import { SpctError } from "../errors.js";
import type { Message } from "../types.js";
import { type Layout, layOut } from "./layout.js";

/** A stretch of a prompt. Special pieces come from the chat template and may hold control tokens; the others are texts that
 * must stay text. */
export interface Piece {
  text: string;
  special: boolean;
}

export interface ChatOptions {
  bosToken: string;
  eosToken: string;
  /** Whether the assistant's turn is opened at the end. Default true. */
  generate?: boolean;
  /** Further variables of the template, such as `enable_thinking`. */
  variables?: Record<string, unknown>;
}

/** A fixed day for templates that print the date: the same request must make the same prompt tomorrow. */
const dateString = "26 Jul 2024";

/**
 * Renders a GGUF's chat template into pieces. Each content is rendered as a random marker and put back afterwards, as a piece
 * of its own: no content can open or close a turn, whatever it holds. What is rendered depends on the roles alone, so the last
 * layout serves all conversations alike, such as the orderings of one query.
 */
export class ChatTemplate {
  readonly #template: Template;
  #last: { key: string; layout: Layout } | undefined;

  constructor(source: string) {
    try {
      this.#template = new Template(source);
    } catch (error) {
      throw chatFailure(error);
    }
  }

  render(messages: readonly Message[], options: ChatOptions): Piece[] {
    const roles = messages.map(({ role }) => role);
    const key = JSON.stringify([roles, options]);
    if (this.#last?.key !== key) this.#last = { key, layout: this.#layout(roles, options) };
    return this.#last.layout.map((part) =>
      typeof part === "string"
        ? { text: part, special: true }
        : { text: messages[part]!.content, special: false },
    );
  }

  #layout(roles: readonly string[], options: ChatOptions): Layout {
    const { bosToken, eosToken, generate = true, variables = {} } = options;
    const render = (markers: string[]) =>
      this.#template.render({
        ...variables,
        messages: roles.map((role, index) => ({ role, content: markers[index] })),
        add_generation_prompt: generate,
        bos_token: bosToken,
        eos_token: eosToken,
        date_string: dateString,
      });
    let layout: Layout;
    try {
      layout = layOut(roles.length, render);
    } catch (error) {
      throw chatFailure(error);
    }
    const left = roles.filter((_, index) => !layout.includes(index)).length;
    if (left > 0) {
      throw new SpctError(
        "BAD_TEMPLATE",
        `The model's chat template left out ${left} of ${roles.length} messages`,
      );
    }
    return layout;
  }
}

/** Whether the prompt leaves a think block open, so that the generated text begins inside of it. */
export function opensThought(pieces: readonly Piece[]): boolean {
  const last = pieces.at(-1);
  return last?.special === true && last.text.trimEnd().endsWith("<think>");
}

function chatFailure(error: unknown): SpctError {
  return new SpctError("BAD_TEMPLATE", `The model's chat template failed: ${(error as Error).message}`, {
    cause: error,
  });
}
