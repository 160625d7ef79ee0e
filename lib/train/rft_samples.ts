import { SpctError } from "../errors.js";
import type { Grm } from "../judge.js";
import { samplesInFlight } from "../many.js";
import type { ExtractionFailure, FinishReason, Query, Sample } from "../types.js";
import { Random } from "./random.js";
import { answerOf, queryOf, type RlItem, ruleReward } from "./rl_items.js";

/** "with": judgements of their own and a hinted one; "without": only their own; "only": only the hinted one. */
export type HintUse = "with" | "without" | "only";

/** One judgement of an item, right or wrong. */
export interface RftSample {
  /** Whether the prompt named the best response. */
  hinted: boolean;
  /** `order[p]` is the index of the response shown at position p. */
  order: number[];
  seed: number;
  /** In the original order of the responses; null if there were none to read. */
  scores: number[] | null;
  reason?: ExtractionFailure;
  reward: 1 | -1;
  finish: FinishReason;
  text: string;
  tokens: number[];
}

/** All judgements of one item. An item whose prompt does not fit the context has none, and says so. */
export interface ItemSamples {
  id: string;
  samples: RftSample[];
  tooLong?: string;
}

export interface RftSamplingOptions {
  /** Judgements of an item without a hint (N_RFT). */
  samples: number;
  hints: HintUse;
  temperature: number;
  /** Default: the judge's. */
  maxTokens?: number;
  /** The same seed, items and weights give the same judgements. */
  seed: number;
  signal?: AbortSignal;
}

/** Judges `items` from index `first` on, several at a time; what was sampled comes in the order of the items. */
export async function* sampleItems(
  grm: Grm,
  items: readonly RlItem[],
  first: number,
  options: RftSamplingOptions,
): AsyncGenerator<ItemSamples, void, undefined> {
  const ended = new AbortController();
  const signal = AbortSignal.any([ended.signal, ...(options.signal === undefined ? [] : [options.signal])]);
  const limit = Math.max(2, Math.ceil(samplesInFlight(grm.info.backend) / (options.samples + 1)));
  const running: Promise<ItemSamples>[] = [];
  let next = first;
  try {
    for (;;) {
      for (; running.length < limit && next < items.length; next++) {
        const sampling = sampleItem(grm, items[next]!, next, { ...options, signal });
        sampling.catch(() => undefined); // Its turn to be awaited may come later.
        running.push(sampling);
      }
      if (running.length === 0) return;
      yield await running[0]!;
      running.shift();
    }
  } finally {
    ended.abort();
    await Promise.allSettled(running);
  }
}

async function sampleItem(
  grm: Grm,
  item: RlItem,
  index: number,
  { samples, hints, temperature, maxTokens, seed, signal }: RftSamplingOptions,
): Promise<ItemSamples> {
  const ownSeed = seed + index * (samples + 1);
  const random = new Random(ownSeed);
  const orders = Array.from({ length: samples + 1 }, () => random.shuffle([...item.responses.keys()]));
  const sampling = { temperature, topK: 0, topP: 1, minP: 0 };
  const judge = async (query: Query, first: number, orderings: number[][]) => {
    const k = orderings.length;
    const options = { k, seed: ownSeed + first, answer: answerOf(item), orderings, maxTokens, signal };
    const verdict = await grm.judge(query, { ...options, ...sampling, logprobs: true });
    return verdict.samples.map((sample) => toRftSample(sample, item, query.hint !== undefined));
  };
  const query = queryOf(item);
  try {
    const own = hints === "only" ? [] : judge(query, 0, orders.slice(0, samples));
    const hinted = hints === "without" ? [] : judge(hintedQuery(item), samples, orders.slice(samples));
    return { id: item.id, samples: (await Promise.all([own, hinted])).flat() };
  } catch (error) {
    const { code, message } = SpctError.from(error, "ENGINE_FAILURE");
    if (code === "CONTEXT_OVERFLOW") return { id: item.id, samples: [], tooLong: message };
    throw new SpctError(code, `Item ${item.id}: ${message}`, { cause: error });
  }
}

/** The query with what is known of it: the best response, or whether the single one is correct. */
function hintedQuery(item: RlItem): Query {
  const hint =
    answerOf(item) === "correctness"
      ? { best: 0, strength: item.label === 1 ? "correct" : "not correct" }
      : { best: item.label };
  return { ...queryOf(item), hint };
}

function toRftSample(sample: Sample, { label }: RlItem, hinted: boolean): RftSample {
  const { order, seed, scores, reason, finish, text, tokenIds } = sample;
  return {
    hinted,
    order,
    seed,
    scores,
    ...(reason === undefined ? {} : { reason }),
    reward: ruleReward(scores, label),
    finish,
    text,
    tokens: [...tokenIds!],
  };
}
