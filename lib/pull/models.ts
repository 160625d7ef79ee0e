import { existsSync, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { invalidArgument } from "../errors.js";
import type { Publication } from "./repository.js";

const prefix = "hf:";

export function isPublishedModel(model: string): boolean {
  return model.startsWith(prefix);
}

const part = /-\d{5}(?<of>-of-(?<count>\d{5})\.gguf)$/i;

/** What stands beside a model and is none by itself: a head, a meta RM, a projector of images. */
const companion = "\\.head|\\.meta|(?:^|/)mmproj[^/]*";

/** `hf:owner/name` or `hf:owner/name:quant` → where that is. A quant is what its file ends in, such as Q4_K_M. Throws
 * INVALID_ARGUMENT. */
export function publishedModel(model: string): Publication {
  const [, repository, quant] = /^hf:([\w.-]+\/[\w.-]+?)(?::([\w.-]+))?$/.exec(model) ?? [];
  if (repository === undefined || repository.split("/").includes(".."))
    throw invalidArgument("model", "hf:owner/name or hf:owner/name:quant", model);
  const ending = quant === undefined ? `(?<!${companion})` : `(?:^|[-._/])${quant.replaceAll(".", "\\.")}`;
  return {
    site: "hugging face model",
    repository,
    files: new RegExp(`${ending}(?:-\\d{5}-of-\\d{5})?\\.gguf$`, "i"),
  };
}

/** Where models are put: SPCT_MODELS, or a folder of the user's cache. */
export function modelFolder({ repository }: Publication): string {
  return join(process.env.SPCT_MODELS || join(homedir(), ".cache", "spct", "models"), repository);
}

/** Of the files of a publication: a model in parts is one model; other files beside each other are a choice. Throws
 * INVALID_ARGUMENT, naming the option that made it. */
export function refuseSeveral(paths: readonly string[], option: string, model: string): void {
  const models = new Set(paths.map((path) => path.replace(part, "$<of>")));
  if (models.size > 1) throw invalidArgument(option, `a quant of ${paths.join(", ")} behind a colon`, model);
}

/** The file of a model that was downloaded (of one in parts, the first); undefined if there is none, or not all of it. Throws
 * INVALID_ARGUMENT if there are several. */
export function downloadedModel(model: string): string | undefined {
  const publication = publishedModel(model);
  const folder = modelFolder(publication);
  if (!existsSync(folder)) return undefined;
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" });
  const files = names.filter((name) => publication.files.test(name)).sort();
  refuseSeveral(files, "model", model);
  const [first] = files;
  if (first === undefined) return undefined;
  const count = Number(part.exec(first)?.groups?.count ?? 1);
  return files.length < count ? undefined : join(folder, first);
}
