import { basename } from "node:path";
import type { Command } from "commander";
import { type GroupTimes, timeGroup } from "../bench/group.js";
import { randomModel } from "../bench/random_model.js";
import { type ShapeName, shapeNames, type WeightType, weightTypes } from "../bench/shapes.js";
import { type Spread, spreadOf } from "../bench/spread.js";
import { makeQuery, promptPieces, turnedOrders, type Workload } from "../bench/workload.js";
import { SpctError } from "../errors.js";
import { loadAddon, type NativeEngine, type NativePackedWeights } from "../native.js";
import {
  choice,
  flag,
  integer,
  number,
  optional,
  type Read,
  readOptions,
  text,
  withDefault,
} from "../options.js";
import { toInteger, toNumber } from "./arguments.js";
import { startProgress } from "./progress.js";
import { type Invocation, styler, type Terminal } from "./terminal.js";

const readers = {
  model: optional(text),
  shape: withDefault(choice<ShapeName>(...shapeNames), "qwen3-0.6b"),
  type: withDefault(choice<WeightType>(...weightTypes), "q8_0"),
  folder: optional(text),
  vocabulary: optional(text),
  samples: withDefault(integer(1, 200), 32),
  responses: withDefault(integer(1, 64), 2),
  responseWords: withDefault(integer(1), 150),
  queryWords: withDefault(integer(1), 50),
  orderings: optional(integer(1)),
  maxTokens: withDefault(integer(2), 64),
  temperature: withDefault(number(0), 1),
  topK: withDefault(integer(0), 0),
  rounds: withDefault(integer(1), 3),
  threads: optional(integer(1)),
  batch: optional(integer(1)),
  flashAttention: optional(choice("auto", "on", "off")),
  packedWeights: optional(choice("auto", "on", "off")),
  sharedAttention: optional(flag),
  grow: optional(choice("samples", "responses", "responseWords")),
};

export function registerBench(program: Command, invocation: Invocation): void {
  program
    .command("bench")
    .description(
      "Measure judging on this machine: a model file of yours, or random weights in the shape of a real model. " +
        "`npm run bench` in a checkout compares with other programs.",
    )
    .option("--model <path>", "a GGUF with a chat template (default: random weights)")
    .option("--shape <name>", `${shapeNames.join(", ")} (default: qwen3-0.6b)`)
    .option("--type <name>", `of the random weights: ${weightTypes.join(", ")} (default: q8_0)`)
    .option(
      "--folder <path>",
      "where files of random weights are kept (default: .cache/bench of the package)",
    )
    .option("--vocabulary <gguf>", "the vocabulary of the random model (default: one of llama.cpp's)")
    .option("--write-only", "write the random model, print its path and stop")
    .option("-k, --samples <n>", "judgements (default: 32)", toInteger)
    .option("--responses <n>", "responses that are judged (default: 2)", toInteger)
    .option("--response-words <n>", "words of each (default: 150)", toInteger)
    .option("--query-words <n>", "words of the query (default: 50)", toInteger)
    .option("--orderings <n>", "orderings of the responses (default: one for each)", toInteger)
    .option("--max-tokens <n>", "tokens of each judgement (default: 64)", toInteger)
    .option("--temperature <t>", "default: 1", toNumber)
    .option("--top-k <n>", "0 for no limit (default)", toInteger)
    .option("--rounds <n>", "measurements, after one that does not count (default: 3)", toInteger)
    .option("--threads <n>", "threads of the engine", toInteger)
    .option("--batch <tokens>", "tokens of one decoding step", toInteger)
    .option("--flash-attention <mode>", "auto, on or off")
    .option("--packed-weights <mode>", "auto, on or off")
    .option("--no-shared-attention", "leave all attention to llama.cpp")
    .option(
      "--grow <what>",
      "samples, responses or responseWords: measure at 1, 2, 4 ... up to what is asked for",
    )
    .option("--json", "print the figures as JSON")
    .action(async ({ json, writeOnly, ...flags }: BenchFlags) => {
      await bench(flags, { json: json === true, writeOnly: writeOnly === true }, invocation.terminal);
    });
}

type BenchFlags = Record<string, unknown> & { json?: boolean; writeOnly?: boolean };
type BenchSettings = Read<typeof readers>;
type Point = Omit<BenchSettings, "grow">;

interface BenchFigures {
  model: string;
  threads: number;
  packedWeights: NativePackedWeights;
  /** With which instructions; null where llama.cpp computes it. */
  sharedAttention: string | null;
  workload: Workload;
  promptTokens: number;
  promptTokensComputed: number;
  generatedTokens: number;
  seconds: Spread;
  /** Until every sample had its first token. */
  secondsToFirstTokens: Spread;
  prefillTokensPerSecond: Spread;
  decodeMillisecondsPerStep: Spread;
  decodeTokensPerSecond: Spread;
}

/** The settings, at powers of two of what grows. */
function growing({ grow, ...point }: BenchSettings): Point[] {
  if (grow === undefined) return [point];
  const most = point[grow];
  const values = Array.from({ length: Math.ceil(Math.log2(most)) }, (_, power) => 2 ** power);
  return [...values, most].map((value) => ({ ...point, [grow]: value }));
}

async function bench(
  flags: Record<string, unknown>,
  { json, writeOnly }: { json: boolean; writeOnly: boolean },
  terminal: Terminal,
): Promise<void> {
  const settings = readOptions(readers, flags);
  const progress = startProgress(terminal, json, "Writing random weights");
  try {
    const path = settings.model ?? (await randomModel(settings.shape, settings.type, settings));
    if (writeOnly) {
      progress.stop();
      terminal.print(json ? JSON.stringify({ model: path }) : path);
      return;
    }
    progress.say("Loading");
    const points: BenchFigures[] = [];
    for (const point of growing(settings)) {
      const where = settings.grow === undefined ? "" : `${settings.grow} ${point[settings.grow]}, `;
      points.push(
        await measure(path, point, (round) =>
          progress.say(`Measuring, ${where}round ${round} of ${settings.rounds}`),
        ),
      );
    }
    progress.stop();
    if (json) terminal.print(JSON.stringify(settings.grow === undefined ? points[0] : points));
    else terminal.print(points.map((figures) => formatFigures(figures, terminal)).join("\n"));
  } finally {
    progress.stop();
  }
}

async function measure(
  path: string,
  settings: Point,
  onRound: (round: number) => void,
): Promise<BenchFigures> {
  const { samples, responses, responseWords, queryWords, maxTokens, rounds } = settings;
  const orderings = settings.orderings ?? Math.min(responses, samples);
  const workload = { queryWords, responseWords, responses, orderings, k: samples, maxTokens };
  const prompts = samples + orderings;
  const words = queryWords + responses * responseWords;
  const engine = await loadEngine({
    modelPath: path,
    contextTokens: contextFor(words, workload),
    maxSequences: Math.min(256, Math.max(2, prompts)),
    ...definedOnly({
      threads: settings.threads,
      batchTokens: settings.batch,
      flashAttention: settings.flashAttention,
      packedWeights: settings.packedWeights,
      sharedAttention: settings.sharedAttention,
    }),
  });
  try {
    const times: GroupTimes[] = [];
    for (let round = 0; times.length < rounds; round++) {
      if (round > 0) onRound(times.length + 1);
      const once = await timeOnce(engine, workload, settings, round);
      if (round > 0) times.push(once);
    }
    return summarize(path, engine, workload, times);
  } finally {
    await engine.close();
  }
}

function loadEngine(
  options: Parameters<ReturnType<typeof loadAddon>["loadEngine"]>[0],
): Promise<NativeEngine> {
  return loadAddon()
    .loadEngine(options)
    .catch((error: unknown) => {
      throw SpctError.from(error, "ENGINE_FAILURE");
    });
}

/** Cells for the prompts, twice as many as words at least, and for all the answers. */
function contextFor(words: number, { orderings, k, maxTokens }: Workload): number {
  const templateTokens = 1024;
  const cells = orderings * (templateTokens + 2 * words) + k * maxTokens;
  return Math.ceil(cells / 256) * 256;
}

async function timeOnce(
  engine: NativeEngine,
  workload: Workload,
  { temperature, topK }: Point,
  seed: number,
): Promise<GroupTimes> {
  const { chatTemplate } = engine.info;
  if (chatTemplate === null) throw new SpctError("NO_CHAT_TEMPLATE", "The model has no chat template");
  const pieces = await promptPieces(chatTemplate, makeQuery(workload, seed), turnedOrders(workload));
  const prompts = await engine.tokenize(pieces);
  return timeGroup(engine, {
    prompts,
    samples: Array.from({ length: workload.k }, (_, index) => ({
      prompt: index % prompts.length,
      seed: seed * workload.k + index,
    })),
    temperature,
    topK,
    topP: 1,
    minP: 0,
    order: "temperature-first",
    maxTokens: workload.maxTokens,
  });
}

function summarize(
  path: string,
  engine: NativeEngine,
  workload: Workload,
  times: readonly GroupTimes[],
): BenchFigures {
  const spread = (figure: (times: GroupTimes) => number) => spreadOf(times.map(figure));
  const decodeSeconds = ({ seconds, prefillSeconds }: GroupTimes) => seconds - prefillSeconds;
  const last = times.at(-1)!;
  return {
    model: basename(path),
    threads: engine.info.threads,
    packedWeights: engine.info.packedWeights,
    sharedAttention: engine.info.sharedAttention ?? null,
    workload,
    promptTokens: last.promptTokens,
    promptTokensComputed: last.promptTokensComputed,
    generatedTokens: last.generatedTokens,
    seconds: spread(({ seconds }) => seconds),
    secondsToFirstTokens: spread(({ prefillSeconds }) => prefillSeconds),
    prefillTokensPerSecond: spread((once) => once.promptTokensComputed / once.prefillSeconds),
    decodeMillisecondsPerStep: spread((once) => (1000 * decodeSeconds(once)) / once.decodeSteps),
    decodeTokensPerSecond: spread((once) => (once.generatedTokens - workload.k) / decodeSeconds(once)),
  };
}

function formatFigures(figures: BenchFigures, terminal: Terminal): string {
  const paint = styler(terminal);
  const { model, threads, packedWeights, sharedAttention, workload, promptTokensComputed, generatedTokens } =
    figures;
  const { promptTokens: whole } = figures;
  const { k, responses, orderings } = workload;
  const line = (name: string, { median, spread }: Spread, unit: string) =>
    `  ${name.padEnd(10)}${precise(median)} ${unit} (${precise(spread[0])} - ${precise(spread[1])})`;
  return [
    paint("bold", `${model}, ${threads} threads`),
    `  ${describePacking(packedWeights)}, ${sharedAttention === null ? "llama.cpp's attention" : `shared attention (${sharedAttention})`}`,
    `  ${k} judgements of ${responses} responses in ${orderings} orderings: ${whole} prompt tokens (${promptTokensComputed} computed), ${generatedTokens} generated`,
    line("judging", figures.seconds, "s"),
    line("first", figures.secondsToFirstTokens, "s until every judgement has a token"),
    line("prefill", figures.prefillTokensPerSecond, "tokens/s"),
    line("decoding", figures.decodeTokensPerSecond, "tokens/s"),
    line("a step", figures.decodeMillisecondsPerStep, "ms"),
    paint("dim", `  median (least - most) of ${figures.seconds.n} rounds`),
  ].join("\n");
}

function describePacking({ gemm, matrices, bytes, leastRows }: NativePackedWeights): string {
  if (matrices === 0) return `no packed weights (${gemm})`;
  return `${matrices} packed weights, ${Math.round(bytes / 2 ** 20)} MiB, for ${leastRows} rows and more (${gemm})`;
}

function precise(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

function definedOnly<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as never;
}
