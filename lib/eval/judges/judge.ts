import type { SampleRecord } from "../../records.js";
import type { Item } from "../benchmark.js";

/** Whatever can be measured: asks for the judgements of one item. */
export interface Judge {
  /** For titles and file names. */
  readonly name: string;
  /** All that its judgements depend on; a run is only resumed with the same. */
  readonly identity: Record<string, unknown>;
  /** What else is worth writing down about it, such as the machine's part. */
  readonly details: Record<string, unknown>;
  /** Samples for each item. */
  readonly k: number;
  /** Items that are worth judging at the same time. */
  readonly concurrency: number;
  /** The same item gives the same samples, whatever else is judged. Rejects with a SpctError. */
  judge(item: Item, signal?: AbortSignal): Promise<SampleRecord[]>;
  close(): Promise<void>;
}
