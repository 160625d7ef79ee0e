import { randomBytes } from "node:crypto";
import { Template } from "@huggingface/jinja";
import { SpctError } from "../errors.js";
import type { Message } from "../types.js";

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
 * of its own: no content can open or close a turn, whatever it holds.
 */
export class ChatTemplate {
  readonly #template: Template;

  constructor(source: string) {
    try {
      this.#template = new Template(source);
    } catch (error) {
      throw chatFailure(error);
    }
  }

  render(messages: readonly Message[], options: ChatOptions): Piece[] {
    const { bosToken, eosToken, generate = true, variables = {} } = options;
    const nonce = randomBytes(16).toString("hex");
    const marked = messages.map(({ role }, index) => ({ role, content: `content-${nonce}-${index}-end` }));
    let rendered: string;
    try {
      rendered = this.#template.render({
        ...variables,
        messages: marked,
        add_generation_prompt: generate,
        bos_token: bosToken,
        eos_token: eosToken,
        date_string: dateString,
      });
    } catch (error) {
      throw chatFailure(error);
    }
    return splitAtMarkers(rendered, new RegExp(`content-${nonce}-(\\d+)-end`), messages);
  }
}

/** Whether the prompt leaves a think block open, so that the generated text begins inside of it. */
export function opensThought(pieces: readonly Piece[]): boolean {
  const last = pieces.at(-1);
  return last?.special === true && last.text.trimEnd().endsWith("<think>");
}

function splitAtMarkers(rendered: string, marker: RegExp, messages: readonly Message[]): Piece[] {
  const parts = rendered.split(marker); // text, index, text, index, …, text
  const used = new Set<number>();
  const pieces: Piece[] = [];
  for (const [position, part] of parts.entries()) {
    if (position % 2 === 0) {
      if (part !== "") pieces.push({ text: part, special: true });
      continue;
    }
    used.add(Number(part));
    pieces.push({ text: messages[Number(part)]!.content, special: false });
  }
  if (used.size !== messages.length) {
    throw new SpctError(
      "BAD_TEMPLATE",
      `The model's chat template left out ${messages.length - used.size} of ${messages.length} messages`,
    );
  }
  return pieces;
}

function chatFailure(error: unknown): SpctError {
  return new SpctError("BAD_TEMPLATE", `The model's chat template failed: ${(error as Error).message}`, {
    cause: error,
  });
}
