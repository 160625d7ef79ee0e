import type { Item } from "../../../lib/eval/benchmark.js";
import type { Judge } from "../../../lib/eval/judges/judge.js";
import type { SampleRecord } from "../../../lib/records.js";
import { uniform } from "../../../lib/vote/draw.js";

/** A judge whose samples depend on the item alone and take a varying time, so that items finish out of order. */
export class ScriptedJudge implements Judge {
  readonly name = "scripted";
  readonly details = { machine: "none" };
  readonly concurrency = 5;
  asked = 0;
  running = 0;
  mostRunning = 0;

  constructor(
    readonly k = 3,
    readonly identity: Record<string, unknown> = { kind: "scripted", k },
    private readonly before: (item: Item) => void = () => undefined,
  ) {}

  async judge(item: Item): Promise<SampleRecord[]> {
    this.asked++;
    this.running++;
    this.mostRunning = Math.max(this.mostRunning, this.running);
    const number = Number(item.id.replace(/\D/g, ""));
    try {
      await new Promise((resolve) => setTimeout(resolve, 4 * uniform(number, 99)));
      this.before(item);
      return Array.from({ length: this.k }, (_, sample) => ({
        order: sample % 2 === 0 ? [0, 1] : [1, 0],
        scores: item.responses.map((_, index) => 1 + Math.floor(10 * uniform(number, sample, index))),
        meta: null,
        text: `judgement ${sample} of ${item.id}: ${"critique ".repeat(20)}`,
        seed: sample,
        tokens: 40,
      }));
    } finally {
      this.running--;
    }
  }

  async close(): Promise<void> {}
}
