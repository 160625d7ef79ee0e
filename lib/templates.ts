import { readFile } from "node:fs/promises";
import { SpctError } from "./errors.js";
import { PromptTemplate } from "./prompt/template.js";

const builtIn = ["default", "compact", "meta"];

/** Loads a prompt template: the name of one that ships with the package, or the path of a Jinja file. */
export async function loadTemplate(nameOrPath: string): Promise<PromptTemplate> {
  const shipped = builtIn.includes(nameOrPath);
  // dist/ and lib/ lie side by side, so the same relative address serves the compiled and the source file.
  const location = shipped
    ? new URL(`../lib/prompt/templates/${nameOrPath}.jinja`, import.meta.url)
    : nameOrPath;
  try {
    return new PromptTemplate(nameOrPath, await readFile(location, "utf8"));
  } catch (error) {
    if (error instanceof SpctError) throw error;
    const hint = `expected one of ${builtIn.join(", ")} or the path of a Jinja file`;
    throw new SpctError("FILE_NOT_FOUND", `No such template: ${nameOrPath} (${hint})`, { cause: error });
  }
}
