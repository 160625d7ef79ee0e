import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { invalidArgument, SpctError } from "../errors.js";
import type { Benchmark } from "../eval/benchmark.js";
import { benchmarks, findBenchmark } from "../eval/benchmarks/index.js";
import { type Comparison, CreditsById, compareWith } from "../eval/compare.js";
import { controlled, controls, findControlled } from "../eval/controls.js";
import { BadRows, type EvaluateOptions, evaluate } from "../eval/evaluate.js";
import { isTied, type Metrics } from "../eval/evaluation.js";
import { hashPath } from "../eval/hash.js";
import { findJudgeKind, judgeKinds } from "../eval/judges/index.js";
import { Browser } from "../eval/report/browser.js";
import { writeReport } from "../eval/report/write.js";
import { resultFilesOf } from "../eval/result_files.js";
import { run } from "../eval/run.js";
import { readManifest } from "../eval/run_folder.js";
import { choice, integer, optional, probability, readOptions, withDefault } from "../options.js";
import type { LoadOptions } from "../settings.js";
import { readText, toInteger, toNumber } from "./arguments.js";
import { formatMetrics } from "./evaluation.js";
import { bar, startProgress } from "./progress.js";
import type { Invocation, Terminal } from "./terminal.js";
import { voteReaders } from "./vote.js";

interface EvalFlags {
  /** Null: measured by what the judgements say themselves. */
  data: string | null;
  from?: string;
  against?: string;
  out?: string;
  samples?: number;
  kMeta?: number;
  flipRisk?: number;
  ties?: string;
  unvoted?: string;
  aggregate?: string;
  seed?: number;
  limit?: number;
  shard?: string;
  skipBad?: boolean;
  report: boolean;
  name?: string;
  json?: boolean;
  model?: string;
  engine?: string;
  meta?: string;
  template?: string;
  isolation?: "none" | "process";
  judge?: string;
  control?: string;
  principles?: string;
  reference?: boolean;
  temperature?: number;
  maxTokens?: number;
  concurrency?: number;
  threads?: number;
  gpuLayers?: number;
}

const partReaders = {
  ...voteReaders,
  unvoted: withDefault(choice("wrong", "skip"), "wrong"),
  limit: optional(integer(1)),
};

const defaultSamples = 8;

const description = `Measure a judge on a benchmark.

With --from, recorded judgements (.jsonl or .jsonl.gz) are measured. Otherwise a judge is run into --out; the same command goes on with a run that was interrupted.

Benchmarks ("spct pull dataset:<benchmark>" says where one is published, and downloads it after asking):
${benchmarks.map(({ name, title }) => `  ${name.padEnd(20)} ${title}`).join("\n")}

Judges (--judge):
${judgeKinds.map(({ name, summary }) => `  ${name.padEnd(20)} ${summary}`).join("\n")}

Rows of "custom" are JSON lines:
  {"id","query","responses":[...],"label":0|[...]|null,"subset"?,"reference"?,"principles"?,"metadata"?}`;

export function registerEval(program: Command, invocation: Invocation): void {
  program
    .command("eval")
    .summary("Measure a judge on a benchmark.")
    .description(description)
    .argument("<benchmark>", "one of the benchmarks above")
    .requiredOption("--data <path>", "its rows: a file (.json, .jsonl, .parquet, .gz) or a folder of them")
    .option("--from <path>", "recorded judgements, instead of running a judge")
    .option("--against <path>", "other recorded judgements of the same data, for paired tests")
    .option(
      "--out <folder>",
      "run folder: judgements, metrics and report (default: runs/<benchmark> when judging)",
    )
    .option(
      "-k, --samples <n>",
      `samples for each item (default: ${defaultSamples}; with --from all)`,
      toInteger,
    )
    .option("--k-meta <m>", "how many samples the meta RM lets into the vote (default: half)", toInteger)
    .option(
      "--flip-risk <p>",
      "stop an item when another winner than that of all its samples is less likely than this, such as 0.002; best with --concurrency",
      toNumber,
    )
    .option(
      "--ties <policy>",
      "lose, share or random: what a tie at the top counts as, a draw for random",
      "share",
    )
    .option(
      "--unvoted <policy>",
      "wrong or skip: what an item without a vote is in scores and curve",
      "wrong",
    )
    .option("--aggregate <how>", "sum (Eq. 14) or mean over the samples", "sum")
    .option("--seed <n>", "of samples and draws", toInteger, 0)
    .option("--limit <n>", "only the first n items", toInteger)
    .option("--shard <i/n>", "only every n-th item, beginning with the i-th")
    .option("--skip-bad", "leave out rows that are no items and lines that are no judgements, and count them")
    .option("--no-report", "only figures: no report.html, report.md and charts")
    .option("--name <text>", "name of the judge in the report and in result files")
    .option("--json", "print the figures as JSON")
    .option(
      "--model <path>",
      "the judge to run: a GGUF, or hf:<owner>/<name>:<quant> (default: the one that ships with the package)",
    )
    .option(
      "--engine <url>",
      "a server (vLLM, SGLang, llama-server) that has --model; its key in SPCT_API_KEY",
    )
    .option(
      "--meta <path>",
      'the meta RM: "fused" (a head), "separate" (a model), the path of either; "none" judges without',
    )
    .option("--template <name>", "prompt template: a name or the path of a Jinja file")
    .option("--isolation <mode>", "none, or process: run the model in a child process")
    .option("--judge <kind>", "how it judges, one of the judges above (default: grm)")
    .option(
      "--control <name>",
      `in place of the items, a response beside a copy of it: ${controls.map(({ name, title }) => `${name} (${title})`).join(", ")}`,
    )
    .option("--principles <file>", "judge by the principles of this file")
    .option("--reference", "show the reference answers of the data, where there are any")
    .option("--temperature <t>", "of sampling", toNumber)
    .option("--max-tokens <n>", "budget of one sample", toInteger)
    .option(
      "--concurrency <n>",
      "items judged at once (default on a CPU: 1, as a resumed run then writes the same)",
      toInteger,
    )
    .option("--threads <n>", "CPU threads", toInteger)
    .option("--gpu-layers <n>", "layers on the GPU", toInteger)
    .action(async (name: string, flags: EvalFlags) => {
      const benchmark = findBenchmark(name);
      const shown = flags.control === undefined ? benchmark : controlled(benchmark, flags.control);
      invocation.exitCode = await evalCommand(shown, flags, invocation.terminal);
    });
  program
    .command("report")
    .summary("Measure and draw a run folder again.")
    .description(
      "Measure and draw a run folder again, from its judgements alone: nothing is judged. The data adds the texts of items and the lengths of responses; without it these are left out.",
    )
    .argument("<folder>", "run folder of spct eval")
    .option("--data <path>", "its rows (default: where they were when it was judged)")
    .option("--json", "print the figures as JSON")
    .action(async (folder: string, flags: ReportFlags) => {
      invocation.exitCode = await reportCommand(folder, flags, invocation.terminal);
    });
}

interface ReportFlags {
  data?: string;
  json?: boolean;
}

async function reportCommand(
  folder: string,
  { data: given, json }: ReportFlags,
  terminal: Terminal,
): Promise<number> {
  const manifest = await readManifest(folder);
  if (manifest === undefined)
    throw new SpctError(
      "FILE_NOT_FOUND",
      `No such file: ${join(folder, "manifest.json")}, which every run folder of spct eval has`,
    );
  const { benchmark, judge: name } = manifest.about;
  const data = given ?? manifest.about.data;
  const known = existsSync(data);
  if (!known && given !== undefined) throw new SpctError("FILE_NOT_FOUND", `No such file: ${given}`);
  if (!known)
    terminal.warn(`spct: ${data} is not there any more: measured without it (--data names another place)`);
  else if ((await hashPath(data)) !== manifest.identity.data)
    throw new SpctError("RUN_MISMATCH", `${data} is not the data that was judged into ${folder}`);
  const from = join(folder, "judgements.jsonl");
  const flags = { data: known ? data : null, from, out: folder, name, report: true, json };
  const part = manifest.identity.part as EvaluateOptions;
  return measure(findControlled(benchmark), flags, terminal, { ...part, skipBad: true });
}

async function evalCommand(benchmark: Benchmark, flags: EvalFlags, terminal: Terminal): Promise<number> {
  const { samples, kMeta, ties, unvoted, aggregate, seed, limit } = flags;
  const read = readOptions(partReaders, { k: samples, kMeta, ties, unvoted, aggregate, seed, limit });
  const options = { ...read, shard: readShard(flags.shard), skipBad: flags.skipBad };
  if (flags.from !== undefined) return measure(benchmark, flags, terminal, options);
  const out = flags.out ?? join("runs", benchmark.name);
  const { judgements, name } = await judgeInto(benchmark, out, flags, options, terminal);
  return measure(benchmark, { name, ...flags, from: judgements, out }, terminal, options);
}

async function judgeInto(
  benchmark: Benchmark,
  out: string,
  flags: EvalFlags,
  options: EvaluateOptions,
  terminal: Terminal,
): Promise<{ judgements: string; name: string }> {
  const { temperature, maxTokens } = flags;
  const kind = findJudgeKind(flags.judge ?? "grm");
  const { concurrency, flipRisk } = readOptions(
    { concurrency: optional(integer(1)), flipRisk: optional(probability) },
    { concurrency: flags.concurrency, flipRisk: flags.flipRisk },
  );
  if (flipRisk !== undefined && !kind.stopsEarly) {
    const able = judgeKinds.filter(({ stopsEarly }) => stopsEarly).map(({ name }) => name);
    throw invalidArgument("judge", `one of ${able.join(", ")} with a flip risk`, kind.name);
  }
  const principles = flags.principles === undefined ? undefined : await readText(flags.principles);
  const progress = startProgress(terminal, flags.json === true, "Loading the judge");
  const judge = await kind.load(loadOptions(flags), {
    k: options.k ?? defaultSamples,
    seed: options.seed ?? 0,
    temperature,
    maxTokens,
    principles,
    reference: flags.reference === true,
    concurrency,
    ...(flipRisk === undefined ? {} : { flipRisk, kMeta: options.kMeta }),
  });
  try {
    const bad = new BadRows();
    const judgements = await run(benchmark, flags.data!, judge, out, {
      limit: options.limit,
      shard: options.shard,
      onBad: options.skipBad ? bad.add : undefined,
      onProgress: ({ done, total, judged, milliseconds, accuracy }) => {
        const left = ((total - done) * milliseconds) / judged;
        progress.say(
          `Judging ${bar(done, total)}, ${formatShare({ accuracy })}, ${formatDuration(left)} left`,
        );
      },
    });
    return { judgements, name: judge.name };
  } finally {
    progress.stop();
    await judge.close();
  }
}

function loadOptions({
  model,
  engine,
  meta,
  template,
  isolation,
  threads,
  gpuLayers,
}: EvalFlags): LoadOptions {
  const options = { meta: meta === "none" ? null : meta, template, isolation, threads, gpuLayers };
  if (engine === undefined) return { ...options, model };
  if (model === undefined)
    throw new SpctError(
      "INVALID_ARGUMENT",
      "Expected --model beside --engine: the server's name for its model",
    );
  return { ...options, remote: { url: engine, model, apiKey: process.env.SPCT_API_KEY } };
}

async function measure(
  benchmark: Benchmark,
  flags: EvalFlags,
  terminal: Terminal,
  options: EvaluateOptions,
): Promise<number> {
  const { data, from, out, json, against } = flags;
  const name = flags.name ?? "judge";
  const progress = startProgress(terminal, json === true, "Measuring");
  const browser = new Browser();
  const files = out === undefined ? undefined : resultFilesOf(benchmark);
  const credits = against === undefined ? undefined : new CreditsById(options);
  let metrics: Metrics;
  let comparison: Comparison | undefined;
  try {
    let items = 0;
    metrics = await evaluate(benchmark, data, from!, {
      ...options,
      onItem: (judged, joined, soFar) => {
        if (out !== undefined && flags.report) browser.add(judged, joined, isTied(judged));
        files?.add(judged);
        credits?.add(judged);
        if (++items % 1000 === 0) progress.say(`Measuring, ${items} items, ${formatShare(soFar)}`);
      },
    });
    if (credits !== undefined) comparison = await compareWith(credits, benchmark, data!, against!, options);
    if (out !== undefined) {
      progress.say("Drawing the report");
      await writeReport(out, { metrics, comparison, benchmark, judge: name, browser, report: flags.report });
      await files?.write(out, name);
    }
  } finally {
    progress.stop();
  }
  const figures = comparison === undefined ? metrics : { ...metrics, comparison };
  terminal.print(json ? JSON.stringify(figures) : formatMetrics(metrics, comparison, benchmark, terminal));
  warnOfGaps(metrics, terminal);
  return 0;
}

function warnOfGaps({ missing, unknown, bad }: Metrics, terminal: Terminal): void {
  if (missing > 0) terminal.warn(`spct: ${missing} items have no judgement`);
  if (unknown > 0) terminal.warn(`spct: ${unknown} judgements belong to no item of the data`);
  if (bad.count > 0) terminal.warn(`spct: ${bad.count} bad rows were left out`);
  for (const { file, number, reason } of bad.first) terminal.warn(`  ${file}:${number}: ${reason}`);
}

function readShard(given: string | undefined): { index: number; of: number } | undefined {
  if (given === undefined) return undefined;
  const [, index, of] = /^(\d+)\/(\d+)$/.exec(given) ?? [];
  const shard = { index: Number(index), of: Number(of) };
  if (shard.index >= 1 && shard.index <= shard.of) return shard;
  throw new SpctError("INVALID_ARGUMENT", `Expected i/n with i from 1 to n for shard but received ${given}`);
}

function formatShare({ accuracy }: { accuracy: number | null }): string {
  return accuracy === null ? "nothing to be right about yet" : `${(100 * accuracy).toFixed(1)}% right`;
}

export function formatDuration(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1000);
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const two = (value: number) => String(value).padStart(2, "0");
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}
