import type { Engine } from "./engine/engine.js";
import { LocalEngine } from "./engine/local.js";
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
  return { engine: await kind.load({ ...engineOptions, modelPath, headPath }), template, manifest };
}
