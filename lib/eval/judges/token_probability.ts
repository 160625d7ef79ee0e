import type { Engine } from "../../engine/engine.js";
import { invalidArgument } from "../../errors.js";
import { Grm } from "../../judge.js";
import { type OpenJudge, openJudge } from "../../open.js";
import { rewardPrompt } from "../../prompt/reward.js";
import type { PromptTemplate } from "../../prompt/template.js";
import { type SampleRecord, toRecord } from "../../records.js";
import type { LoadOptions } from "../../settings.js";
import type { Sample } from "../../types.js";
import { restoreOrder } from "../../vote/orders.js";
import type { Item } from "../benchmark.js";
import { GrmJudge, type GrmJudgeOptions, toQuery } from "./grm.js";
import type { Judge, JudgeRequest } from "./judge.js";

/** "1" and "2" as they stand in a verdict. */
type VerdictTokens = readonly [Int32Array, Int32Array];

/** A sample that waits for its scores behind `answer`; null if there is no verdict to weigh. */
interface Unweighed {
  order: number[];
  record: SampleRecord;
  answer: Int32Array | null;
}

/**
 * The paper's LLM-as-a-judge with token probabilities (Table 3), for two responses: in place of the verdict that was drawn
 * stand the probabilities of "1" and "2", made to add up to 1. With a critique, they are those behind each sampled critique,
 * else those of a verdict given at once, of which there is one for each order. Both orders have as many samples, so that the
 * sum over the samples is the mean over the orders; a meta RM that leaves some of them out would unbalance it, so there is none.
 */
export class TokenProbabilityJudge implements Judge {
  readonly name: string;
  readonly identity: Record<string, unknown>;
  readonly details: Record<string, unknown>;
  readonly k: number;
  readonly concurrency: number;

  /** `opening` is what a verdict at once begins with; undefined: with a critique. */
  static async load(
    load: LoadOptions,
    request: JudgeRequest,
    opening?: string,
  ): Promise<TokenProbabilityJudge> {
    if (opening === undefined && request.k % 2 !== 0)
      throw invalidArgument("samples", "an even number, half for each order", request.k);
    if (typeof load.meta === "string")
      throw invalidArgument("meta", "no meta RM with a judge by token probability", load.meta);
    const own = load.remote === undefined ? { ...load, meta: null } : load;
    const open = await openJudge(own);
    try {
      return await TokenProbabilityJudge.over(open, own, request, opening);
    } catch (error) {
      await open.engine.close();
      throw error;
    }
  }

  /** Over what was opened by `load`, without a meta RM. */
  static async over(
    { engine, template, manifest }: OpenJudge,
    load: LoadOptions,
    request: JudgeRequest,
    opening?: string,
  ): Promise<TokenProbabilityJudge> {
    const k = opening === undefined ? request.k : 2;
    const options: GrmJudgeOptions = { ...request, k, answer: "winner", logprobs: true };
    const asking = await GrmJudge.over(Grm.over(engine, template, manifest), load, options);
    const tokens: VerdictTokens = [await engine.tokenize("1"), await engine.tokenize("2")];
    const begun = opening === undefined ? undefined : await engine.tokenize(opening);
    return new TokenProbabilityJudge(engine, template, asking, options, tokens, begun);
  }

  private constructor(
    private readonly engine: Engine,
    private readonly template: PromptTemplate,
    private readonly asking: GrmJudge,
    private readonly options: GrmJudgeOptions,
    private readonly verdicts: VerdictTokens,
    private readonly opening: Int32Array | undefined,
  ) {
    const { name, identity, details, k, concurrency } = asking;
    this.name = name;
    this.identity = identity;
    this.details = details;
    this.k = k;
    this.concurrency = concurrency;
  }

  async judge(item: Item, signal?: AbortSignal): Promise<SampleRecord[]> {
    const unweighed = this.opening === undefined ? await this.#critiques(item, signal) : atOnce(this.opening);
    const samples: SampleRecord[] = [];
    // One after the other: what else is in a batch changes the last digits of a CPU's results.
    for (const { order, record, answer } of unweighed) {
      const scores = answer === null ? null : await this.#weigh(item, order, answer, signal);
      samples.push({ ...record, scores });
    }
    return samples;
  }

  close(): Promise<void> {
    return this.asking.close();
  }

  async #critiques(item: Item, signal: AbortSignal | undefined): Promise<Unweighed[]> {
    const verdict = await this.asking.verdict(item, signal);
    const { samples } = toRecord(verdict, { id: item.id, n: 2 });
    return verdict.samples.map((sample, index) => {
      const record = samples[index]!;
      const end = sample.scores === null ? -1 : verdictStart(sample, this.verdicts);
      if (end >= 0) return { order: sample.order, record, answer: sample.tokenIds!.slice(0, end) };
      return { order: sample.order, record: { reason: "no-verdict-token", ...record }, answer: null };
    });
  }

  /** P("1") and P("2") of these two in the original order. */
  async #weigh(item: Item, order: number[], answer: Int32Array, signal?: AbortSignal): Promise<number[]> {
    const content = rewardPrompt(this.template, toQuery(item, this.options), order, "winner");
    const [first, second] = await this.engine.score([{ role: "user", content }], this.verdicts, {
      answer,
      signal,
    });
    const share = 1 / (1 + Math.exp(second! - first!));
    return restoreOrder(order, [share, 1 - share]);
  }
}

function atOnce(answer: Int32Array): Unweighed[] {
  return [
    [0, 1],
    [1, 0],
  ].map((order) => ({ order, record: { order, scores: null, meta: null, tokens: 0 }, answer }));
}

/** Where the verdict begins in a sample's tokens: the last place of its number; -1 if that is no token of its own. */
function verdictStart({ order, scores, tokenIds }: Sample, verdicts: VerdictTokens): number {
  const verdict = verdicts[order.indexOf(scores!.indexOf(1))]!;
  for (let start = tokenIds!.length - verdict.length; start >= 0; start--) {
    if (verdict.every((token, index) => tokenIds![start + index] === token)) return start;
  }
  return -1;
}
