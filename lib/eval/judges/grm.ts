import { existsSync } from "node:fs";
import { basename } from "node:path";
import { invalidArgument, SpctError } from "../../errors.js";
import { Grm } from "../../judge.js";
import { samplesAtOnce, samplesInFlight } from "../../many.js";
import { findModel } from "../../models.js";
import { type SampleRecord, toRecord } from "../../records.js";
import type { JudgeOptions, LoadOptions } from "../../settings.js";
import { shippedTemplate } from "../../templates.js";
import type { Principle, Query, Verdict } from "../../types.js";
import { uniform } from "../../vote/draw.js";
import { balancedOrders } from "../../vote/orders.js";
import type { Item } from "../benchmark.js";
import { hashPath, hashText } from "../hash.js";
import type { Judge, JudgeRequest } from "./judge.js";

export interface GrmJudgeOptions
  extends Omit<JudgeOptions, keyof JudgeRequest | "orderings" | "onSample" | "signal" | "earlyStop">,
    Omit<JudgeRequest, "principles" | "concurrency"> {
  /** As in the request; false judges without any. */
  principles?: string | Principle[] | false;
  /** Whether an item without principles, its own or given, is refused. Default false. */
  needsPrinciples?: boolean;
  /** Items judged at the same time. Default on a CPU 1: what else is in a batch changes the last digits of its results, so
   * only then does a resumed run write the same as one that was not interrupted; it is no slower there. Elsewhere enough for
   * 128 samples. */
  concurrency?: number;
}

/** An item's seeds lie apart from every other's by at least this, the most samples there may be. */
const seedRange = 65_536;

/** A generative reward model: pointwise scores, or the winner's number with `answer: "winner"`. */
export class GrmJudge implements Judge {
  readonly k: number;
  readonly concurrency: number;
  readonly details: Record<string, unknown>;
  /** Where items are judged at the same time, other items fill the batch. */
  private readonly atOnce: number;
  private readonly options: Omit<GrmJudgeOptions, "concurrency">;

  static async load(load: LoadOptions, options: GrmJudgeOptions): Promise<GrmJudge> {
    const grm = await Grm.load(load);
    try {
      return await GrmJudge.over(grm, load, options);
    } catch (error) {
      await grm.close();
      throw error;
    }
  }

  /** Over what was loaded by `load`. Rejects with INVALID_ARGUMENT for kMeta without a meta RM. */
  static async over(grm: Grm, load: LoadOptions, options: GrmJudgeOptions): Promise<GrmJudge> {
    const { concurrency, ...settings } = options;
    if (options.kMeta !== undefined && !grm.info.hasHead)
      throw invalidArgument("kMeta", "a judge with a meta RM", options.kMeta);
    const { name, ...files } = await filesOf(load);
    const { template, backend } = grm.info;
    const shown = await hashPath(existsSync(template) ? template : shippedTemplate(template));
    const identity = { kind: "grm", ...files, template: shown, backend, options: settings };
    return new GrmJudge(grm, name, identity, options);
  }

  constructor(
    private readonly grm: Grm,
    readonly name: string,
    readonly identity: Record<string, unknown>,
    options: GrmJudgeOptions,
  ) {
    this.k = options.k;
    const { concurrency, ...rest } = options;
    this.options = rest;
    this.details = { ...grm.info };
    const { backend } = grm.info;
    const atOnce = options.flipRisk === undefined ? options.k : samplesAtOnce;
    const fitting = Math.max(2, Math.ceil(samplesInFlight(backend) / atOnce));
    this.concurrency = concurrency ?? (backend === "cpu" ? 1 : fitting);
    this.atOnce = this.concurrency > 1 ? atOnce : options.k;
  }

  async judge(item: Item, signal?: AbortSignal): Promise<SampleRecord[]> {
    const verdict = await this.verdict(item, signal);
    return toRecord(verdict, { id: item.id, n: item.responses.length }).samples;
  }

  /** The verdict whose samples `judge` gives. */
  async verdict(item: Item, signal?: AbortSignal): Promise<Verdict> {
    const { principles, needsPrinciples, reference, seed, flipRisk, kMeta, ...options } = this.options;
    const own = seedOf(item.id, seed);
    const orderings = itemOrders(item.responses.length, this.k, own);
    return this.grm.judge(toQuery(item, { principles, needsPrinciples, reference }), {
      ...options,
      seed: own,
      orderings,
      kMeta: kMeta === undefined ? undefined : Math.min(kMeta, this.k),
      earlyStop: flipRisk === undefined ? undefined : { flipRisk, atOnce: this.atOnce },
      signal,
    });
  }

  close(): Promise<void> {
    return this.grm.close();
  }
}

/** What names a model in a run: the hashes of its files, or the name that its server knows it by. */
async function filesOf({ model = "default", meta, remote }: LoadOptions) {
  if (remote !== undefined) return { name: remote.model, model: remote.model, head: null };
  const { modelPath, headPath, metaRm } = await findModel(model, meta);
  const head = metaRm?.headPath ?? headPath;
  return {
    name: basename(modelPath).replace(/\.gguf$/, ""),
    model: await hashPath(modelPath),
    head: head === undefined ? null : await hashPath(head),
    ...(metaRm && { metaRm: await hashPath(metaRm.modelPath) }),
  };
}

/** What the judge is shown of an item. */
export function toQuery(
  item: Item,
  {
    principles,
    needsPrinciples,
    reference,
  }: Pick<GrmJudgeOptions, "principles" | "needsPrinciples" | "reference">,
): Query {
  if (needsPrinciples === true && (principles ?? item.principles) === undefined)
    throw new SpctError(
      "NO_PRINCIPLES",
      `Expected principles in the row of item ${item.id}, or for all items`,
    );
  return {
    query: item.query,
    responses: item.responses,
    reference: reference ? item.reference : undefined,
    principles: principles ?? item.principles,
  };
}

/** Depends on the item and not on its place in the data, so that shards and limits do not change it. */
export function seedOf(id: string, seed: number): number {
  return Number.parseInt(hashText(`${seed}\0${id}`).slice(0, 8), 16) * seedRange;
}

/** Balanced orders that start with any of them: with few samples too, right responses stand everywhere equally often. Data
 * sets often list the right one first. */
export function itemOrders(responses: number, k: number, seed: number): number[][] {
  const orders = balancedOrders(responses, responses, seed);
  const start = Math.floor(uniform(seed, responses) * orders.length);
  return [...orders.slice(start), ...orders.slice(0, start)].slice(0, Math.min(k, responses));
}
