import { existsSync } from "node:fs";
import { basename } from "node:path";
import { findModel } from "../../models.js";
import type { SampleRecord } from "../../records.js";
import { RewardModel } from "../../reward_model.js";
import type { LoadOptions } from "../../settings.js";
import { shippedTemplate } from "../../templates.js";
import type { Query } from "../../types.js";
import type { Item } from "../benchmark.js";
import { hashPath } from "../hash.js";
import type { GrmJudgeOptions } from "./grm.js";
import type { Judge } from "./judge.js";

/** A loaded reward model, and what a judge over it is known by. */
export interface Loaded {
  model: RewardModel;
  name: string;
  identity: Record<string, unknown>;
}

export type HeadOptions = Pick<
  GrmJudgeOptions,
  "k" | "seed" | "reference" | "temperature" | "maxTokens" | "concurrency"
>;

/** Loads a model with a reward head as a judge of this kind; `options` are those that its judgements depend on. */
export async function loadHead(kind: string, load: LoadOptions, options: object): Promise<Loaded> {
  const { modelPath, headPath } = await findModel(load.model ?? "default", load.meta ?? "fused");
  const model = await RewardModel.load(load);
  const { template, backend } = model.info;
  const identity = {
    kind,
    model: await hashPath(modelPath),
    head: await hashPath(headPath!),
    template:
      template === null ? null : await hashPath(existsSync(template) ? template : shippedTemplate(template)),
    backend,
    options,
  };
  return { model, name: basename(modelPath).replace(/\.gguf$/, ""), identity };
}

/** What judges by a scalar head have in common. */
export abstract class HeadJudge implements Judge {
  readonly name: string;
  readonly identity: Record<string, unknown>;
  readonly details: Record<string, unknown>;
  readonly concurrency: number;
  protected readonly model: RewardModel;

  constructor(
    { model, name, identity }: Loaded,
    readonly k: number,
    private readonly reference: boolean,
    concurrency = 1,
  ) {
    this.model = model;
    this.name = name;
    this.identity = identity;
    this.details = { ...model.info };
    this.concurrency = concurrency;
  }

  abstract judge(item: Item, signal?: AbortSignal): Promise<SampleRecord[]>;

  close(): Promise<void> {
    return this.model.close();
  }

  protected queryOf({ query, responses, reference }: Item): Query {
    return { query, responses, reference: this.reference ? reference : undefined };
  }
}
