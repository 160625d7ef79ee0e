import { existsSync, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { invalidArgument } from "../errors.js";
import type { Publication } from "./repository.js";

const prefix = "hf:";

export function isPublishedModel(model: string): boolean {
  return model.startsWith(prefix);
}

/** `hf:owner/name` or `hf:owner/name:quant` → where that is. A quant is what its file ends in, such as Q4_K_M. Throws
 * INVALID_ARGUMENT. */
export function publishedModel(model: string): Publication {
  const [, repository, quant] = /^hf:([\w.-]+\/[\w.-]+?)(?::([\w.-]+))?$/.exec(model) ?? [];
  if (repository === undefined || repository.split("/").includes(".."))
    throw invalidArgument("model", "hf:owner/name or hf:owner/name:quant", model);
  const ending = quant === undefined ? "" : `(?:^|[-._/])${quant.replaceAll(".", "\\.")}`;
  return {
    site: "hugging face model",
    repository,
    files: new RegExp(`${ending}(?:-\\d{5}-of-\\d{5})?\\.gguf$`, "i"),
  };
}

/** Where models are put: SPCT_MODELS, or a folder of the user's cache. */
export function modelFolder({ repository }: Publication): string {
  return join(process.env.SPCT_MODELS ?? join(homedir(), ".cache", "spct", "models"), repository);
}

/** The file of a model that was downloaded (of one in parts, the first); undefined if there is none. */
export function downloadedModel(model: string): string | undefined {
  const publication = publishedModel(model);
  const folder = modelFolder(publication);
  if (!existsSync(folder)) return undefined;
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" });
  const [first] = names.filter((name) => publication.files.test(name)).sort();
  return first === undefined ? undefined : join(folder, first);
}
