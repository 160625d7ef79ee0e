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

export interface MetaRmFiles {
  modelPath: string;
  headPath: string;
  manifest: Manifest;
}

export interface ModelFiles {
  modelPath: string;
  /** The head on the model itself, of a fused meta RM or a reward; undefined without one. */
  headPath: string | undefined;
  /** A meta RM that is a model of its own; undefined without one. */
  metaRm: MetaRmFiles | undefined;
  manifest: Manifest;
}

/** The judge that ships with the package. */
export const defaultModelPath = fileURLToPath(new URL("../models/default.gguf", import.meta.url));

/** `judge.head.gguf`, the head of the model in `judge.gguf`. */
export function headBeside(modelPath: string): string {
  return `${stemOf(modelPath)}.head.gguf`;
}

/** `judge.json`, what the model in `judge.gguf` recommends for itself. */
export function manifestBeside(modelPath: string): string {
  return `${stemOf(modelPath)}.json`;
}

function stemOf(modelPath: string): string {
  return modelPath.replace(/\.gguf$/, "");
}

/**
 * Finds a judge's files. `meta` is "fused" (the head beside the model), "separate" (`judge.meta.gguf` and its head beside
 * `judge.gguf`), the path of a head or of a model with its head beside it, null for no meta RM, or undefined for what there is
 * beside the model: a separate meta RM, else a head.
 */
export async function findModel(model: string, meta: string | null | undefined): Promise<ModelFiles> {
  const modelPath = pathOf(model);
  if (!existsSync(modelPath)) {
    throw new SpctError("MODEL_NOT_FOUND", `No such file: ${modelPath}`);
  }
  const manifest = await readManifest(manifestBeside(modelPath));
  const found = findMeta(modelPath, meta);
  if (found === undefined || !existsSync(headBeside(found)))
    return { modelPath, headPath: found, metaRm: undefined, manifest };
  const metaRm = {
    modelPath: found,
    headPath: headBeside(found),
    manifest: await readManifest(manifestBeside(found)),
  };
  return { modelPath, headPath: undefined, metaRm, manifest };
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

/** A head, or a meta RM with a head beside it. */
function findMeta(modelPath: string, meta: string | null | undefined): string | undefined {
  if (meta === null) return undefined;
  const [fused, separate] = [headBeside(modelPath), `${stemOf(modelPath)}.meta.gguf`];
  if (meta === undefined) {
    // A training that was interrupted leaves a meta RM without its head.
    const chosen = existsSync(separate) && existsSync(headBeside(separate)) ? separate : fused;
    return existsSync(chosen) ? chosen : undefined;
  }
  const path = { fused, separate }[meta] ?? meta;
  if (meta === "separate" && existsSync(path) && !existsSync(headBeside(path)))
    throw noHead(headBeside(path));
  if (existsSync(path)) return path;
  throw noHead(path);
}

function noHead(path: string): SpctError {
  return new SpctError(
    "HEAD_NOT_FOUND",
    `No such file: ${path} (the meta RM or its head; \`meta: null\` judges without)`,
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
