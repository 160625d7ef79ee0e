import type { Sampling } from "./engine/engine.js";
import { type RemoteEngineOptions, readRemoteOptions } from "./engine/remote_options.js";
import { invalidArgument } from "./errors.js";
import type { Manifest } from "./models.js";
import {
  callback,
  choice,
  flag,
  integer,
  number,
  optional,
  probability,
  type Read,
  type Reader,
  readOptions,
  share,
  signal,
  text,
  withDefault,
} from "./options.js";
import type { Sample } from "./types.js";

export const samplingReaders = {
  temperature: optional(number(0)),
  topK: optional(integer(0, 2 ** 31 - 1)),
  topP: optional(share),
  minP: optional(number(0, 1)),
  order: optional(choice("temperature-first", "temperature-last")),
};

/** The paper samples at 0.5; it does not say how the distribution is cut, so it is not. */
const defaultSampling: Sampling = { temperature: 0.5, topK: 0, topP: 1, minP: 0, order: "temperature-first" };
/** The paper's judgements have 218 to 376 tokens on average. A small context leaves half of itself to the prompt. */
const defaultMaxTokens = (contextTokens: number) => Math.min(1024, Math.floor(contextTokens / 2));
const largestSeed = 2 ** 52;

const orderings: Reader<number | number[][]> = (given, name) => {
  if (Array.isArray(given) && given.length > 0) return given as number[][];
  return integer(1)(given, name);
};

const earlyStop: Reader<{ flipRisk: number; atOnce: number | undefined }> = (given, name) => {
  if (typeof given !== "object" || given === null) throw invalidArgument(name, "an object", given);
  return readOptions({ flipRisk: probability, atOnce: optional(integer(1)) }, given);
};

const judgeReaders = {
  k: withDefault(integer(1, 65_536), 8),
  seed: withDefault(integer(0, largestSeed), 0),
  answer: withDefault(choice("scores", "winner", "correctness"), "scores"),
  orderings: optional(orderings),
  kMeta: optional(integer(1)),
  earlyStop: optional(earlyStop),
  maxTokens: optional(integer(1, 2 ** 31 - 1)),
  outOfRange: withDefault(choice("reject", "clamp"), "reject"),
  stopAtBox: withDefault(flag, true),
  logprobs: withDefault(flag, false),
  onSample: optional(callback as Reader<(sample: Sample, index: number) => void>),
  signal: optional(signal),
  ...samplingReaders,
};

/** When a vote is decided before all k samples are drawn; lib/vote/decided.ts has the rule. A single response on a scale has no
 * rival: all of its samples are drawn. */
export interface EarlyStop {
  /** How likely, at most and as estimated, the winner of a query may be another one than that of all k samples, over all looks
   * at the vote and all rivals. Above 0 and below 1; 0.002 is a good choice. */
  flipRisk: number;
  /** How many samples the engine is given at a time; it changes how much is drawn in vain, and not the verdict. Default: in
   * `judge` all, as a small batch saves a lone query no time; in `judgeMany` 4, as other queries fill the batch. Of some
   * orderings that do not divide it, the next multiple. */
  atOnce?: number;
}

/** Options of one judging. */
export interface JudgeOptions extends Partial<Sampling> {
  /** How many judgements to draw. Default 8. */
  k?: number;
  /** Sample i uses seed + i. Default 0: the same call gives the same verdict. */
  seed?: number;
  /** What the judge is asked for. Default "scores". */
  answer?: "scores" | "winner" | "correctness";
  /** How many orderings of the responses to show in turn, or the orderings themselves. Default: as many as there are
   * responses, so that each stands everywhere equally often; 1 shows them as given. */
  orderings?: number | number[][];
  /** How many samples the meta RM lets into the vote. Default k/2. */
  kMeta?: number;
  /** Stops drawing once the vote is decided. Default: all k samples are drawn. */
  earlyStop?: EarlyStop;
  /** Token budget of one sample. Default: the model's manifest, else 1024 or half of a smaller context. */
  maxTokens?: number;
  /** What becomes of a score outside of the scale. Default "reject": the sample fails. */
  outOfRange?: "reject" | "clamp";
  /** Whether a sample ends at the first complete box. Default true. */
  stopAtBox?: boolean;
  /** Whether samples carry token ids and log-probabilities. Default false. */
  logprobs?: boolean;
  /** Called as samples finish, before the vote. With `earlyStop` also for samples that finish after the vote was decided, which
   * the verdict then does not have. */
  onSample?: (sample: Sample, index: number) => void;
  signal?: AbortSignal;
}

export interface JudgeSettings extends Omit<Read<typeof judgeReaders>, keyof Sampling | "maxTokens"> {
  sampling: Sampling;
  maxTokens: number;
}

/** Options, then what the model recommends, then the defaults. */
export function readJudgeOptions(options: unknown, manifest: Manifest, contextTokens: number): JudgeSettings {
  const { temperature, topK, topP, minP, order, maxTokens, ...rest } = readOptions(judgeReaders, options);
  if (rest.kMeta !== undefined && rest.kMeta > rest.k) {
    throw invalidArgument("kMeta", `at most k (${rest.k})`, rest.kMeta);
  }
  const given = { temperature, topK, topP, minP, order };
  return {
    ...rest,
    sampling: { ...defaultSampling, ...known(manifest.sampling ?? {}), ...known(given) },
    maxTokens: maxTokens ?? manifest.maxTokens ?? defaultMaxTokens(contextTokens),
  };
}

const manyReaders = {
  concurrency: optional(integer(1)),
  onError: optional(callback as Reader<(error: unknown, index: number) => void>),
};

export interface JudgeManyOptions extends JudgeOptions {
  /** How many queries are judged at the same time. Default: enough to have 128 samples drawn at once, on a CPU 32, with
   * `earlyStop` 16; these are more where `atOnce` is no multiple of the orderings. */
  concurrency?: number;
  /** Called for a query that could not be judged, which then has no verdict. Without it the first failure ends the judging. */
  onError?: (error: unknown, index: number) => void;
}

export function readJudgeManyOptions(
  options: JudgeManyOptions = {},
): Read<typeof manyReaders> & { each: JudgeOptions } {
  const { concurrency, onError, ...each } = options;
  return { ...readOptions(manyReaders, { concurrency, onError }), each };
}

const loadReaders = {
  model: withDefault(text, "default"),
  meta: ((given, name) => (given === null ? null : optional(text)(given, name))) as Reader<
    string | null | undefined
  >,
  isolation: withDefault(choice("none", "process"), "none"),
  template: optional(text),
  chatTemplate: optional(text),
  chatVariables: optional(record),
  contextTokens: optional(integer(1)),
  batchTokens: optional(integer(1)),
  maxSequences: optional(integer(2, 256)),
  prefixCacheTokens: optional(integer(0, 2 ** 28)),
  threads: optional(integer(1)),
  gpuLayers: optional(integer(0)),
  flashAttention: optional(choice("auto", "on", "off")),
  packedWeights: optional(choice("auto", "on", "off")),
  sharedAttention: optional(flag),
  remote: optional(readRemoteOptions),
  updatable: optional(flag),
};

/** Options of loading a judge. What `spct doctor --calibrate` measured for a model takes the place of the defaults of `threads`,
 * `flashAttention` and `batchTokens`. */
export interface LoadOptions {
  /** "default" for the judge that ships with the package, the path of a GGUF, or `hf:owner/name:quant` for one that `spct pull`
   * has downloaded. */
  model?: string;
  /** The meta RM: "fused" for the head beside the model (`judge.head.gguf`), "separate" for the model with a head beside it
   * (`judge.meta.gguf`, `judge.meta.head.gguf`), the path of either, or null for none. Default: what there is, a separate one
   * before a head. */
  meta?: "fused" | "separate" | (string & {}) | null;
  /** "process" runs the model in a child process, so that what aborts it does not end this one. Default "none". */
  isolation?: "none" | "process";
  /** Name of a prompt template or path of a Jinja file. Default: the model's manifest, else "default". */
  template?: string;
  /** Jinja source in place of the model's chat template. */
  chatTemplate?: string;
  /** Further variables of the chat template, such as `enable_thinking`. */
  chatVariables?: Record<string, unknown>;
  /** KV cells in all. Default: what about 1 GiB holds, from 4,096 to 32,768. */
  contextTokens?: number;
  /** Tokens of one decoding step. Default 512. */
  batchTokens?: number;
  /** Prompts and samples at once. Default 64. */
  maxSequences?: number;
  /** Prompts are kept for later calls, the least recently used going first, while all of them have at most so many tokens. A call
   * that finds its prompt may round differently from one that computes it (not with very small models on AVX2). Default 0: the
   * same call gives the same text. */
  prefixCacheTokens?: number;
  /** Default: one for each core. */
  threads?: number;
  /** Layers on the GPU. Default: all, if there is a GPU. */
  gpuLayers?: number;
  /** Default "auto": on a GPU llama.cpp decides; on a CPU on, but for very small models without shared attention,
   * which are faster without. */
  flashAttention?: "auto" | "on" | "off";
  /** Copies of the weights for faster products of many rows, on an x86 CPU with AVX2. They take memory, which
   * `info.packedWeights` states. Default "auto": of the weights whose products were measured to be faster, and of very small
   * models without measuring, when the copies of all engines of the process take less than half of the memory; weights that
   * llama.cpp rearranges for this CPU itself (Q4_0 and others on x86) stay as they are. "on" packs all, those too. */
  packedWeights?: "auto" | "on" | "off";
  /** Whether attention over cells that many rows see, such as a prompt's, is computed for all of them at once: on an x86 CPU with
   * AVX2, with flash attention on. `info.sharedAttention` says with which instructions. Default true; false leaves it to llama.cpp,
   * which rounds differently. */
  sharedAttention?: boolean;
  /** A server with OpenAI's chat completions (vLLM, SGLang, llama-server) in place of a model in this process. Of the other
   * options only `template` is then of use. */
  remote?: RemoteEngineOptions;
  /** Whether `loadWeights` may be called later. The file is then read instead of mapped, and its weights are not rearranged for
   * the CPU. Default false. */
  updatable?: boolean;
}

export function readLoadOptions(options: LoadOptions): Read<typeof loadReaders> {
  const read = readOptions(loadReaders, options);
  const own = Object.entries(options).filter(
    ([name, value]) => value !== undefined && !besideRemote.includes(name),
  );
  if (read.remote !== undefined && own.length > 0)
    throw invalidArgument("options", `only ${besideRemote.join(" and ")} for a remote judge`, own[0]![0]);
  return read;
}

const besideRemote = ["remote", "template"];

function record(given: unknown, name: string): Record<string, unknown> {
  if (typeof given !== "object" || given === null || Array.isArray(given))
    throw invalidArgument(name, "an object", given);
  return given as Record<string, unknown>;
}

function known<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as never;
}
