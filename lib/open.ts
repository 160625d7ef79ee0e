import { findCalibration } from "./calibration.js";
import type { Engine } from "./engine/engine.js";
import { LocalEngine, type LocalEngineOptions } from "./engine/local.js";
import { ProcessEngine } from "./engine/process.js";
import { RemoteEngine } from "./engine/remote.js";
import { findModel, type Manifest } from "./models.js";
import type { PromptTemplate } from "./prompt/template.js";
import { type LoadOptions, readLoadOptions } from "./settings.js";
import { loadTemplate } from "./templates.js";

/** What a judge is made of. */
export interface OpenJudge {
  engine: Engine;
  template: PromptTemplate;
  manifest: Manifest;
}

/** Finds a judge's files and loads its engine, or reaches for a remote one. Rejects as `Grm.load` does. */
export async function openJudge(options: LoadOptions): Promise<OpenJudge> {
  const { model, meta, isolation, template: chosen, remote, ...engineOptions } = readLoadOptions(options);
  if (remote !== undefined) {
    const template = await loadTemplate(chosen ?? "default");
    return { engine: await RemoteEngine.load(remote), template, manifest: {} };
  }
  const { modelPath, headPath, manifest } = await findModel(model, meta);
  const template = await loadTemplate(chosen ?? manifest.template ?? "default");
  const kind = isolation === "process" ? ProcessEngine : LocalEngine;
  const engine = await kind.load(calibrated({ ...engineOptions, modelPath, headPath }));
  return { engine, template, manifest };
}

/** Puts what was measured for the model in place of what is not given. It was measured with the default of `gpuLayers`. */
function calibrated(options: LocalEngineOptions): LocalEngineOptions {
  const found = options.gpuLayers === undefined ? findCalibration(options.modelPath) : undefined;
  if (found === undefined) return options;
  return {
    ...options,
    threads: options.threads ?? found.threads,
    batchTokens: options.batchTokens ?? found.batchTokens,
    flashAttention: options.flashAttention ?? found.flashAttention,
    calibrated: found.measured,
  };
}
