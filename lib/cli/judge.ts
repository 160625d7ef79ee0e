import type { Command } from "commander";
import { SpctError } from "../errors.js";
import { Grm } from "../judge.js";
import type { JudgeOptions, LoadOptions } from "../settings.js";
import type { Query } from "../types.js";
import { readText, toInteger, toNumber } from "./arguments.js";
import { bar, startProgress } from "./progress.js";
import { formatVerdict } from "./report.js";
import type { Invocation, Terminal } from "./terminal.js";

interface JudgeFlags {
  query?: string;
  queryFile?: string;
  response: ResponseSource[];
  reference?: string;
  referenceFile?: string;
  principles?: string | false;
  principlesFile?: string;
  samples: number;
  seed?: number;
  kMeta?: number;
  flipRisk?: number;
  temperature?: number;
  topK?: number;
  topP?: number;
  minP?: number;
  maxTokens?: number;
  orderings?: number;
  answer?: "scores" | "winner" | "correctness";
  clamp?: boolean;
  model?: string;
  meta?: string;
  template?: string;
  isolation?: "none" | "process";
  threads?: number;
  context?: number;
  gpuLayers?: number;
  verbose?: boolean;
  json?: boolean;
}

type ResponseSource = { text: string } | { file: string };

const description = `Judge one, two or many responses to a query.

Without --query and --response, standard input is one JSON object:
  {"query": "...", "responses": ["...", "..."], "reference"?, "principles"?}`;

export function registerJudge(program: Command, invocation: Invocation): void {
  const sources: ResponseSource[] = [];
  program
    .command("judge")
    .summary("Judge one, two or many responses to a query.")
    .description(description)
    .option("--query <text>", "the question")
    .option("--query-file <path>", "the question, from a file")
    .option(
      "--response <text>",
      "a response; give the option once for each",
      (text) => void sources.push({ text }),
    )
    .option("--response-file <path>", "a response, from a file", (file) => void sources.push({ file }))
    .option("--reference <text>", "a correct answer to judge against")
    .option("--reference-file <path>", "a correct answer, from a file")
    .option("--principles <text>", "principles to judge by, one on a line")
    .option("--principles-file <path>", "principles, from a file")
    .option("--no-principles", "ask for a judgement without principles")
    .option("-k, --samples <n>", "how many judgements to draw", toInteger, 8)
    .option("--k-meta <n>", "how many of them the meta RM lets into the vote (default: half)", toInteger)
    .option(
      "--flip-risk <p>",
      "stop when another winner than that of all samples is less likely than this, such as 0.002",
      toNumber,
    )
    .option("--seed <n>", "sample i uses seed + i", toInteger)
    .option("--temperature <t>", "0 takes the likeliest token", toNumber)
    .option("--top-k <n>", "0 for no limit", toInteger)
    .option("--top-p <p>", "in (0, 1]", toNumber)
    .option("--min-p <p>", "in [0, 1]", toNumber)
    .option("--max-tokens <n>", "budget of one judgement", toInteger)
    .option("--orderings <n>", "how many orderings of the responses to show in turn", toInteger)
    .option("--answer <kind>", "scores, winner or correctness")
    .option("--clamp", "move scores outside of the scale to its end instead of rejecting the sample")
    .option("--model <path>", 'a GGUF, hf:<owner>/<name>:<quant> as pulled, or "default"')
    .option(
      "--meta <path>",
      'the meta RM: "fused" (judge.head.gguf), "separate" (judge.meta.gguf), "none", or a path',
    )
    .option("--template <name>", "a prompt template: default, compact, or a Jinja file")
    .option("--isolation <where>", "none, or process: run the model in a child process")
    .option("--threads <n>", "threads of the engine", toInteger)
    .option("--context <tokens>", "size of the KV cache", toInteger)
    .option("--gpu-layers <n>", "layers on the GPU", toInteger)
    .option("--verbose", "show every judgement")
    .option("--json", "print the verdict as JSON")
    .action(async (flags: JudgeFlags) => {
      invocation.exitCode = await judge({ ...flags, response: sources }, invocation.terminal);
    });
}

async function judge(flags: JudgeFlags, terminal: Terminal): Promise<number> {
  const query = await readInput(flags, terminal);
  const progress = startProgress(terminal, flags.json === true, "Loading the judge");
  let grm: Grm | undefined;
  try {
    grm = await Grm.load(loadOptions(flags));
    let done = 0;
    const options = judgeOptions(flags);
    progress.say(`Judging ${bar(0, flags.samples)}`);
    const onSample = () => progress.say(`Judging ${bar(++done, flags.samples)}`);
    const verdict = await grm.judge(query, { ...options, onSample });
    progress.stop();
    terminal.print(flags.json ? JSON.stringify(verdict) : formatVerdict(verdict, terminal, flags.verbose));
    return verdict.valid === 0 ? 1 : 0;
  } finally {
    progress.stop();
    await grm?.close();
  }
}

async function readInput(flags: JudgeFlags, terminal: Terminal): Promise<Query> {
  const text = flags.query ?? (await fromFile(flags.queryFile));
  if (text === undefined && flags.response.length === 0) return readJson(terminal);
  const responses = await Promise.all(
    flags.response.map((source) => ("text" in source ? source.text : readText(source.file))),
  );
  const reference = flags.reference ?? (await fromFile(flags.referenceFile));
  const principles = (await fromFile(flags.principlesFile)) ?? flags.principles;
  const query: Query = { query: text as string, responses }; // a missing query is reported by the library
  if (reference !== undefined) query.reference = reference;
  if (principles === false || typeof principles === "string") query.principles = principles;
  return query;
}

async function fromFile(path: string | undefined): Promise<string | undefined> {
  return path === undefined ? undefined : readText(path);
}

async function readJson(terminal: Terminal): Promise<Query> {
  if (terminal.inputIsTerminal) {
    throw new SpctError(
      "INVALID_ARGUMENT",
      "Expected --query and --response, or a JSON object on standard input",
    );
  }
  const input = await terminal.readInput();
  try {
    return JSON.parse(input);
  } catch (error) {
    throw new SpctError(
      "INVALID_ARGUMENT",
      `Expected a JSON object on standard input: ${(error as Error).message}`,
      {
        cause: error,
      },
    );
  }
}

function loadOptions({
  model,
  meta,
  template,
  isolation,
  threads,
  context,
  gpuLayers,
}: JudgeFlags): LoadOptions {
  const head = meta === "none" ? null : meta;
  return { model, meta: head, template, isolation, threads, contextTokens: context, gpuLayers };
}

function judgeOptions(flags: JudgeFlags): JudgeOptions {
  const { samples, seed, kMeta, flipRisk, temperature, topK, topP, minP, maxTokens } = flags;
  const { orderings, answer, clamp } = flags;
  const outOfRange = clamp ? "clamp" : undefined;
  const earlyStop = flipRisk === undefined ? undefined : { flipRisk };
  const sampling = { temperature, topK, topP, minP, maxTokens };
  return { k: samples, seed, kMeta, earlyStop, orderings, answer, outOfRange, ...sampling };
}
