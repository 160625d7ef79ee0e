import type { SampleRecord } from "../../records.js";
import type { LoadOptions } from "../../settings.js";
import type { Principle } from "../../types.js";
import type { Item } from "../benchmark.js";

/** Whatever can be measured: asks for the judgements of one item. */
export interface Judge {
  /** For titles and file names. */
  readonly name: string;
  /** All that its judgements depend on; a run is only resumed with the same. */
  readonly identity: Record<string, unknown>;
  /** What else is worth writing down about it, such as the machine's part. */
  readonly details: Record<string, unknown>;
  /** Samples for each item; of a judge that stops early at most so many. */
  readonly k: number;
  /** Items that are worth judging at the same time. */
  readonly concurrency: number;
  /** The same item gives the same samples, whatever else is judged. Rejects with a SpctError. */
  judge(item: Item, signal?: AbortSignal): Promise<SampleRecord[]>;
  close(): Promise<void>;
}

/** What a judge of any kind is asked for; a kind that has no use for a part of it does not look at it. */
export interface JudgeRequest {
  /** Samples for each item. */
  k: number;
  seed: number;
  temperature?: number;
  /** Budget of one sample. */
  maxTokens?: number;
  /** Judges by these; default: an item's own, else the judge makes some. */
  principles?: string | Principle[];
  /** Whether the reference of an item is shown. */
  reference: boolean;
  /** Items judged at the same time. Default: what suits the engine. */
  concurrency?: number;
  /** Stops drawing samples of an item once its vote is decided, as `EarlyStop.flipRisk` says; only of kinds that `stopsEarly`. */
  flipRisk?: number;
  /** How many samples the meta RM lets into the vote that is to be decided. Default: half. */
  kMeta?: number;
}

/** A way of judging that `spct eval --judge` knows by name. */
export interface JudgeKind {
  readonly name: string;
  /** What it does, in half a line. */
  readonly summary: string;
  /** Whether an item's samples are one vote, which may be decided before all of them are drawn. */
  readonly stopsEarly: boolean;
  /** Rejects as `Grm.load` does, or with INVALID_ARGUMENT for a request that the kind cannot fulfil. */
  load(load: LoadOptions, request: JudgeRequest): Promise<Judge>;
}
