import { rename, writeFile } from "node:fs/promises";
import { versions } from "../versions.js";
import { fileHash } from "./meta.js";

/** What a training run was made from. */
export interface TrainManifest {
  /** The recipe: "sft", "rft", "rl", "reward", "meta-fused", "meta-separate", "import-head". */
  kind: string;
  options: Readonly<Record<string, unknown>>;
  seed: number;
  /** Paths of the files that were read; undefined for one that was not given. */
  inputs: Readonly<Record<string, string | undefined>>;
  /** What came of it: steps, items, what was kept. */
  counts: object;
}

/** Writes a run's manifest as JSON, each input with its SHA-256, and what it was built with: whole or not at all. */
export async function writeTrainManifest(path: string, manifest: TrainManifest): Promise<void> {
  const inputs: Record<string, { path: string; sha256: string }> = {};
  for (const [name, file] of Object.entries(manifest.inputs)) {
    if (file !== undefined) inputs[name] = { path: file, sha256: await fileHash(file) };
  }
  const whole = { ...manifest, inputs, build: versions() };
  await writeFile(`${path}.part`, `${JSON.stringify(whole, null, 2)}\n`);
  await rename(`${path}.part`, path);
}
