import { findCalibration } from "./calibration.js";
import type { Engine } from "./engine/engine.js";
import { LocalEngine, type LocalEngineOptions } from "./engine/local.js";
import { MetaRmEngine } from "./engine/meta_rm.js";
import { ProcessEngine } from "./engine/process.js";
import { RemoteEngine } from "./engine/remote.js";
import { SpctError } from "./errors.js";
import { findModel, type Manifest, type MetaRmFiles } from "./models.js";
import type { PromptTemplate } from "./prompt/template.js";
import { type LoadOptions, readLoadOptions } from "./settings.js";
import { loadTemplate } from "./templates.js";

/** What a judge is made of. */
export interface OpenJudge {
  engine: Engine;
  template: PromptTemplate;
  manifest: Manifest;
  /** What a separate meta RM reads before a judgement. */
  metaTemplate?: PromptTemplate;
}

/** Finds a judge's files and loads its engine, or reaches for a remote one. Rejects as `Grm.load` does. */
export async function openJudge(options: LoadOptions): Promise<OpenJudge> {
  const { model, meta, isolation, template: chosen, remote, ...engineOptions } = readLoadOptions(options);
  if (remote !== undefined) {
    const template = await loadTemplate(chosen ?? "default");
    return { engine: await RemoteEngine.load(remote), template, manifest: {} };
  }
  const { modelPath, headPath, metaRm, manifest } = await findModel(model, meta);
  const template = await loadTemplate(chosen ?? manifest.template ?? "default");
  const kind = isolation === "process" ? ProcessEngine : LocalEngine;
  const engine = await kind.load(calibrated({ ...engineOptions, modelPath, headPath }));
  if (metaRm === undefined) return { engine, template, manifest };
  try {
    const metaTemplate = await loadTemplate(metaRm.manifest.template ?? "meta");
    const ranker = await loadMetaRm(kind, metaRm, engineOptions);
    return { engine: new MetaRmEngine(engine, ranker), template, manifest, metaTemplate };
  } catch (error) {
    await engine.close();
    throw error;
  }
}

async function loadMetaRm(
  kind: typeof ProcessEngine | typeof LocalEngine,
  { modelPath, headPath }: MetaRmFiles,
  { chatTemplate: _, chatVariables: __, updatable: ___, ...options }: Partial<LocalEngineOptions>,
): Promise<Engine> {
  const engine = await kind.load(calibrated({ ...options, modelPath, headPath }));
  if (engine.info.headKind === "meta") return engine;
  await engine.close();
  const found = engine.info.headKind;
  throw new SpctError(
    "HEAD_MISMATCH",
    `Expected the head of a meta RM in ${headPath} but it is of kind ${found}`,
  );
}

/** Puts what was measured for the model in place of what is not given. It was measured with the default of `gpuLayers`. Throws
 * BAD_CALIBRATION. */
export function calibrated(options: LocalEngineOptions): LocalEngineOptions {
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
