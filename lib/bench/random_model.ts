import { existsSync, mkdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { SpctError } from "../errors.js";
import { loadAddon } from "../native.js";
import { encodeGgufMetadata } from "../train/gguf_metadata.js";
import { metadataOf, type ShapeName, shapes, tensorsOf, type WeightType } from "./shapes.js";

const cache = fileURLToPath(new URL("../../.cache/", import.meta.url));

export interface RandomModelOptions {
  /** Where the file is kept. Default: .cache/bench of the package. */
  folder?: string;
  /** A GGUF with the vocabulary. Default: that of llama.cpp's source, which a build from source has fetched. */
  vocabulary?: string;
}

/** The path of a model in this shape with random weights, which is written (and kept) where it is missing. */
export async function randomModel(
  shape: ShapeName,
  type: WeightType,
  { folder = join(cache, "bench"), vocabulary = vocabularyOf(shape) }: RandomModelOptions = {},
): Promise<string> {
  const path = join(folder, `${shape}-${type}.gguf`);
  if (existsSync(path)) return path;
  if (!existsSync(vocabulary)) {
    throw new SpctError(
      "FILE_NOT_FOUND",
      `No such file: ${vocabulary} (a vocabulary from llama.cpp's models/ folder; --vocabulary names one)`,
    );
  }
  mkdirSync(dirname(path), { recursive: true });
  await loadAddon().writeRandomModel({
    path,
    vocabularyPath: vocabulary,
    metadata: encodeGgufMetadata(metadataOf(shape)),
    tensors: tensorsOf(shapes[shape], type),
    seed: 1,
    threads: availableParallelism(),
  });
  return path;
}

function vocabularyOf(shape: ShapeName): string {
  const source = process.env.LLAMA_CPP_DIR ?? join(cache, "llama.cpp");
  return join(source, "models", `ggml-vocab-${shapes[shape].vocabulary.name}.gguf`);
}
