import { Template } from "@huggingface/jinja";
import { SpctError } from "../errors.js";
import { onlyInserts } from "./insertions.js";
import { type Layout, layOut } from "./layout.js";

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

const mostLayouts = 64;

/**
 * A Jinja file that makes the text of the user's turn. Values are inserted as they are, never parsed as Jinja. A template that
 * does nothing else with its texts is rendered once for all texts alike, such as the orderings of one query and the next query.
 */
export class PromptTemplate {
  readonly name: string;
  readonly #template: Template;
  readonly #onlyInserts: boolean;
  readonly #layouts = new Map<string, Layout>();

  constructor(name: string, source: string) {
    this.name = name;
    this.#template = wrapFailure(name, () => new Template(source));
    this.#onlyInserts = onlyInserts(this.#template);
  }

  render(variables: PromptVariables): string {
    return wrapFailure(this.name, () => (this.#onlyInserts ? this.#insert(variables) : this.#run(variables)));
  }

  #insert(variables: PromptVariables): string {
    const texts = textsOf(variables);
    const key = JSON.stringify(
      withTexts(
        variables,
        texts.map((text) => text && "text"),
      ),
    );
    let layout = this.#layouts.get(key);
    if (layout === undefined) {
      const marked = (markers: string[]) => texts.map((text, index) => text && markers[index]);
      layout = layOut(texts.length, (markers) => this.#run(withTexts(variables, marked(markers))));
      if (this.#layouts.size === mostLayouts) this.#layouts.clear();
      this.#layouts.set(key, layout);
    }
    return layout.map((part) => (typeof part === "string" ? part : texts[part])).join("");
  }

  #run(variables: PromptVariables): string {
    return this.#template.render({ ...variables });
  }
}

function textsOf({ query, reference, principles, conversation, responses }: PromptVariables) {
  return [query, reference, principles, ...conversation.map(({ content }) => content), ...responses];
}

/** The variables with other texts, in the order of `textsOf`. */
function withTexts(variables: PromptVariables, texts: (string | undefined)[]): PromptVariables {
  const [query, reference, principles, ...others] = texts;
  const contents = others.splice(0, variables.conversation.length) as string[];
  return {
    ...variables,
    query: query!,
    reference,
    principles,
    conversation: variables.conversation.map(({ role }, index) => ({ role, content: contents[index]! })),
    responses: others as string[],
  };
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
