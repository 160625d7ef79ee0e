import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Sampling } from "./engine/engine.js";
import { SpctError } from "./errors.js";
import { integer, optional, readOptions, text } from "./options.js";
import { downloadedModel, isPublishedModel } from "./pull/models.js";
import { samplingReaders } from "./settings.js";

/** What a judge recommends for itself, in a JSON file beside its GGUF (`judge.gguf`, `judge.json`). */
export interface Manifest {
  template?: string;
  sampling?: Partial<Sampling>;
  maxTokens?: number;
}

export interface ModelFiles {
  modelPath: string;
  /** The head of a fused meta RM; undefined without one. */
  headPath: string | undefined;
  manifest: Manifest;
}

/** The judge that ships with the package. */
export const defaultModelPath = fileURLToPath(new URL("../models/default.gguf", import.meta.url));

/**
 * Finds a judge's files. `meta` is "fused" (the head file beside the model, which must exist), the path of a head file, null
 * for no meta RM, or undefined for the head beside the model if there is one.
 */
export async function findModel(model: string, meta: string | null | undefined): Promise<ModelFiles> {
  const modelPath = pathOf(model);
  if (!existsSync(modelPath)) {
    throw new SpctError("MODEL_NOT_FOUND", `No such file: ${modelPath}`);
  }
  const stem = modelPath.replace(/\.gguf$/, "");
  return {
    modelPath,
    headPath: findHead(`${stem}.head.gguf`, meta),
    manifest: await readManifest(`${stem}.json`),
  };
}

/** "default", `hf:owner/name:quant` as `spct pull` has put it, or a path. */
function pathOf(model: string): string {
  if (model === "default") return defaultModelPath;
  if (!isPublishedModel(model)) return model;
  const path = downloadedModel(model);
  if (path !== undefined) return path;
  const how = `\`spct pull ${model}\` downloads it after asking`;
  throw new SpctError("MODEL_NOT_FOUND", `${model} is not on this machine: ${how}`);
}

function findHead(beside: string, meta: string | null | undefined): string | undefined {
  if (meta === null) return undefined;
  if (meta === undefined) return existsSync(beside) ? beside : undefined;
  const path = meta === "fused" ? beside : meta;
  if (existsSync(path)) return path;
  throw new SpctError(
    "HEAD_NOT_FOUND",
    `No such file: ${path} (the head of the meta RM; \`meta: null\` judges without)`,
  );
}

async function readManifest(path: string): Promise<Manifest> {
  if (!existsSync(path)) return {};
  try {
    const { template, sampling, maxTokens } = JSON.parse(await readFile(path, "utf8"));
    const manifest = readOptions(
      { template: optional(text), maxTokens: optional(integer(1)) },
      { template, maxTokens },
    );
    return { ...manifest, sampling: readOptions(samplingReaders, sampling) };
  } catch (error) {
    throw new SpctError("BAD_MANIFEST", `${path}: ${(error as Error).message}`, { cause: error });
  }
}
