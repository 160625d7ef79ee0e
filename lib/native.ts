import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { SpctError } from "./errors.js";
import type { NativeTrainer, NativeTraining } from "./train/native.js";

/** The native addon. It checks types again; every failure carries a code. */
export interface NativeAddon extends NativeTraining {
  loadEngine(options: NativeEngineOptions): Promise<NativeEngine>;
  loadVocabulary(path: string): Promise<NativeVocabulary>;
  systemInfo(): NativeSystemInfo;
  /** Rejects with MODEL_NOT_FOUND, NOT_A_GGUF, INVALID_ARGUMENT or WRITE_FAILED. */
  writeRandomModel(model: NativeRandomModel): Promise<void>;
}

export interface NativeRandomModel {
  path: string;
  /** A GGUF whose tokenizer is taken. */
  vocabularyPath: string;
  /** A GGUF without tensors. */
  metadata: Uint8Array;
  tensors: readonly NativeRandomTensor[];
  seed: number;
  /** The file does not depend on it. */
  threads: number;
}

export interface NativeRandomTensor {
  name: string;
  columns: number;
  /** 0: one vector of ones, F32. */
  rows: number;
  /** As ggml names it. */
  type: string;
  /** Standard deviation. */
  scale: number;
}

export interface NativeEngineOptions {
  modelPath: string;
  headPath?: string;
  contextTokens?: number;
  batchTokens?: number;
  maxSequences?: number;
  prefixCacheTokens?: number;
  threads?: number;
  gpuLayers?: number;
  flashAttention?: "auto" | "on" | "off";
  packedWeights?: "auto" | "on" | "off";
  sharedAttention?: boolean;
  /** Whether `loadWeights` may be called. */
  updatable?: boolean;
}

export interface NativeEngine {
  readonly info: NativeEngineInfo;
  /** Of each prompt, one after the other, as most vocabularies remember what prompts share. */
  tokenize(prompts: readonly (readonly NativePiece[])[]): Promise<Int32Array[]>;
  /** Of text that goes on where other tokens end. */
  tokenizeContinued(pieces: readonly NativePiece[]): Promise<Int32Array>;
  text(tokens: Int32Array): string;
  /** Returns the group's id. `onSample` is called once for each sample. */
  submit(group: NativeGroup, onSample: (event: NativeSampleEvent) => void): number;
  /** The group's open samples end as "cancelled". */
  cancel(group: number): void;
  /** Both wait for all groups submitted before; groups submitted later wait for them. The trainer is BUSY meanwhile. */
  loadWeights(trainer: NativeTrainer): Promise<void>;
  loadHead(head: { weight: Float32Array; bias: number }): Promise<void>;
  stats(): NativeStats;
  close(): Promise<void>;
}

export interface NativeVocabulary {
  tokenize(pieces: readonly NativePiece[]): Promise<Int32Array>;
  text(tokens: Int32Array): string;
  /** The tokens that untrusted text must never become. */
  forbidden(): { id: number; text: string }[];
}

export interface NativePiece {
  text: string;
  special: boolean;
}

export interface NativeEngineInfo {
  description: string;
  architecture: string;
  parameters: number;
  sizeBytes: number;
  embedding: number;
  vocabulary: number;
  /** Of one prompt and its answer. */
  contextTokens: number;
  /** KV cells of all together. */
  cacheTokens: number;
  trainedContext: number;
  threads: number;
  backend: string;
  packedWeights: NativePackedWeights;
  /** With which instructions. */
  sharedAttention?: string;
  kv: string;
  chatTemplate: string | null;
  bosToken: string;
  eosToken: string;
  hasHead: boolean;
  headKind?: string;
}

/** Copies of weights in the layout of the library that multiplies with them on the CPU. */
export interface NativePackedWeights {
  /** The library, or why there is none. */
  gemm: string;
  matrices: number;
  /** Beside the model itself. */
  bytes: number;
  /** Batches of fewer rows are multiplied without the copies; 0 if there are none. */
  leastRows: number;
}

export interface NativeGroup {
  prompts: Int32Array[];
  samples: { prompt: number; seed: number; continuation?: Int32Array }[];
  temperature: number;
  topK: number;
  topP: number;
  minP: number;
  order: "temperature-first" | "temperature-last";
  maxTokens: number;
  logprobs?: boolean;
  stop?: { pattern: string; skip?: { open: string; close: string } };
}

export interface NativeSampleEvent {
  sample: number;
  text: string;
  tokens: Int32Array;
  logprobs?: Float32Array;
  reason: "stop" | "eos" | "length" | "cancelled" | "error";
  error?: { code: string; message: string };
  meta: number | null;
  /** Of the group so far: its prompts less what was shared. */
  promptTokensComputed: number;
}

export interface NativeStats {
  promptTokens: number;
  promptTokensComputed: number;
  generatedTokens: number;
  steps: number;
  preemptions: number;
  activeSamples: number;
  waitingSamples: number;
  cellsReserved: number;
  /** Milliseconds since the engine last went from idle to decoding, and since it last decoded; infinite before. */
  sinceFirstDecode: number;
  sinceLastDecode: number;
}

export interface NativeSystemInfo {
  devices: { name: string; description: string; type: string; memoryFree: number; memoryTotal: number }[];
  instructionSets: string;
  /** What multiplies packed weights, such as "oneDNN 3.5.0, bf16", or why nothing does. */
  gemm: { available: boolean; description: string };
  /** Of the llama.cpp that was compiled in. */
  llamaCommit: string;
  /** Whether the CUDA backend was compiled in. */
  cuda: boolean;
}

/** `CPU : AVX2 = 1 | FMA = 1 | ` → `["AVX2", "FMA"]` */
export function instructionNames({ instructionSets }: NativeSystemInfo): string[] {
  return [...instructionSets.matchAll(/(\w+) = 1/g)].map(([, name]) => name!);
}

const packageRoot = dirname(dirname(fileURLToPath(import.meta.url)));

/**
 * How OpenMP's threads wait for each other, which it reads once, when it is loaded with the addon. Threads that spin make decoding
 * many times slower as soon as another process wants a core, and threads that sleep at once are slower without one: GCC's spin for
 * some ten microseconds (docs/benchmarks.md).
 */
const waiting = { OMP_WAIT_POLICY: "passive", GOMP_SPINCOUNT: "1000" };

let loaded: NativeAddon | undefined;

/** Loads the addon once: from SPCT_ADDON, a local build, or the prebuilt binary of this platform. */
export function loadAddon(): NativeAddon {
  loaded ??= requireAddon(findAddon());
  return loaded;
}

/** The file the addon is loaded from. */
export function findAddon(): string {
  const chosen = process.env.SPCT_ADDON;
  if (chosen !== undefined && chosen !== "") {
    if (existsSync(chosen)) return resolve(chosen);
    throw new SpctError("ADDON_MISSING", `SPCT_ADDON names a file that does not exist: ${chosen}`);
  }
  const found = candidates().find((path) => existsSync(path));
  if (found !== undefined) return found;
  const platform = `${process.platform}-${process.arch}`;
  throw new SpctError(
    "ADDON_MISSING",
    `The native addon is neither built nor shipped for ${platform}; in a checkout, \`npm run build\` builds it`,
  );
}

function candidates(): string[] {
  const prebuilds = join(packageRoot, "prebuilds", `${process.platform}-${process.arch}`);
  const shipped = existsSync(prebuilds)
    ? readdirSync(prebuilds).filter((name) => name.endsWith(".node"))
    : [];
  return [
    join(packageRoot, "build", "Release", "spct.node"),
    join(packageRoot, "build", "spct.node"),
    ...shipped.sort().map((name) => join(prebuilds, name)),
  ];
}

function requireAddon(path: string): NativeAddon {
  const load = () => createRequire(import.meta.url)(path) as NativeAddon;
  try {
    return isOpenMPLoaded() ? load() : withEnvironment(waiting, load);
  } catch (error) {
    throw new SpctError(
      "ADDON_MISSING",
      `The native addon ${path} cannot be loaded: ${(error as Error).message}`,
      {
        cause: error,
      },
    );
  }
}

/** Whether something else in this process has brought the OpenMP that the addon uses; how it waits is settled then. */
function isOpenMPLoaded(): boolean {
  return process.platform === "linux" && readFileSync("/proc/self/maps", "latin1").includes("/libgomp.so");
}

/** Runs `work` with the variables set, unless one of them is set already. */
function withEnvironment<Result>(variables: Record<string, string>, work: () => Result): Result {
  const names = Object.keys(variables);
  if (names.some((name) => process.env[name] !== undefined)) return work();
  Object.assign(process.env, variables);
  try {
    return work();
  } finally {
    for (const name of names) delete process.env[name];
  }
}
