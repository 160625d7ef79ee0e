import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { SpctError } from "./errors.js";
import { PromptTemplate } from "./prompt/template.js";

const builtIn = ["default", "compact", "meta"];

/** The file of a template that ships with the package. dist/ and lib/ lie side by side, so the same relative address serves the
 * compiled and the source file. */
export function shippedTemplate(name: string): string {
  return fileURLToPath(new URL(`../lib/prompt/templates/${name}.jinja`, import.meta.url));
}

/** Loads a prompt template: the name of one that ships with the package, or the path of a Jinja file. */
export async function loadTemplate(nameOrPath: string): Promise<PromptTemplate> {
  const shipped = builtIn.includes(nameOrPath);
  const location = shipped ? shippedTemplate(nameOrPath) : nameOrPath;
  try {
    return new PromptTemplate(nameOrPath, await readFile(location, "utf8"));
  } catch (error) {
    if (error instanceof SpctError) throw error;
    const hint = `expected one of ${builtIn.join(", ")} or the path of a Jinja file`;
    throw new SpctError("FILE_NOT_FOUND", `No such template: ${nameOrPath} (${hint})`, { cause: error });
  }
}
