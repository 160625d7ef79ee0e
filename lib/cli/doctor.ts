import { execFile } from "node:child_process";
import { availableParallelism, freemem, totalmem } from "node:os";
import { promisify } from "node:util";
import type { Command } from "commander";
import { Grm } from "../judge.js";
import { findAddon, instructionNames, loadAddon, type NativeSystemInfo } from "../native.js";
import { calibrateJudge } from "./calibrate.js";
import { startProgress } from "./progress.js";
import { type Invocation, printable, styler, type Terminal, wrap } from "./terminal.js";

interface Finding {
  name: string;
  /** `missing` is a failure; `absent` is something optional. */
  state: "ok" | "missing" | "absent";
  detail: string;
}

interface DoctorFlags {
  model?: string;
  json?: boolean;
  calibrate?: boolean;
}

const run = promisify(execFile);

export function registerDoctor(program: Command, invocation: Invocation): void {
  program
    .command("doctor")
    .description("Say what this machine has for judging, and what is missing.")
    .option(
      "--model <path>",
      "the judge to try: a GGUF, or hf:<owner>/<name>:<quant> as pulled (default: the one that ships with the package)",
    )
    .option(
      "--calibrate",
      "measure which threads, flash attention and tokens of a step are fastest for the judge, and keep it for later loads",
    )
    .option("--json", "print the findings as JSON")
    .action(async ({ calibrate, ...flags }: DoctorFlags) => {
      if (calibrate) await calibrateJudge(flags, invocation.terminal);
      else invocation.exitCode = await doctor(flags, invocation.terminal);
    });
}

async function doctor({ model, json }: DoctorFlags, terminal: Terminal): Promise<number> {
  const progress = startProgress(terminal, json === true, "Looking around");
  const findings: Finding[] = [checkNode(), checkMemory()];
  let system: NativeSystemInfo | undefined;
  try {
    findings.push({ name: "addon", state: "ok", detail: findAddon() });
    system = loadAddon().systemInfo();
    findings.push(...describeSystem(system));
  } catch (error) {
    findings.push({ name: "addon", state: "missing", detail: (error as Error).message });
  }
  findings.push(...(await checkCuda(system)));
  if (system !== undefined) {
    progress.say("Judging a trial");
    findings.push(await checkModel(model));
  }
  progress.stop();
  terminal.print(
    json ? JSON.stringify({ ok: isWell(findings), findings }) : formatFindings(findings, terminal),
  );
  return isWell(findings) ? 0 : 1;
}

function isWell(findings: readonly Finding[]): boolean {
  return findings.every(({ state }) => state !== "missing");
}

function checkNode(): Finding {
  const detail = `Node ${process.versions.node}, ${process.platform}-${process.arch}`;
  const major = Number(process.versions.node.split(".")[0]);
  return major >= 20
    ? { name: "runtime", state: "ok", detail }
    : { name: "runtime", state: "missing", detail: `${detail}; needed is 20` };
}

function checkMemory(): Finding {
  const detail = `${availableParallelism()} cores, ${gibibytes(freemem())} of ${gibibytes(totalmem())} GiB free`;
  return { name: "machine", state: "ok", detail };
}

function describeSystem(system: NativeSystemInfo): Finding[] {
  return [
    { name: "llama.cpp", state: "ok", detail: `commit ${system.llamaCommit}` },
    { name: "instructions", state: "ok", detail: instructionNames(system).join(", ") },
    {
      name: "packed weights",
      state: system.gemm.available ? "ok" : "absent",
      detail: system.gemm.description,
    },
    ...system.devices.map(({ name, description, type, memoryFree, memoryTotal }) => {
      const memory =
        memoryTotal === 0 ? "" : `, ${gibibytes(memoryFree)} of ${gibibytes(memoryTotal)} GiB free`;
      return { name: `device ${name}`, state: "ok", detail: `${description} (${type}${memory})` } as const;
    }),
  ];
}

async function checkCuda(system: NativeSystemInfo | undefined): Promise<Finding[]> {
  const findings: Finding[] = [];
  const driver = await firstLine("nvidia-smi", ["--query-gpu=name,driver_version", "--format=csv,noheader"]);
  const toolkit = await lastLine("nvcc", ["--version"]);
  findings.push({
    name: "CUDA driver",
    state: driver === null ? "absent" : "ok",
    detail: driver ?? "nvidia-smi does not answer: no NVIDIA GPU, or no driver for it",
  });
  findings.push({
    name: "CUDA toolkit",
    state: toolkit === null ? "absent" : "ok",
    detail: toolkit ?? "nvcc is not on the PATH; it is needed to build for a GPU, not to run",
  });
  if (system !== undefined) {
    findings.push({
      name: "CUDA build",
      state: system.cuda ? "ok" : "absent",
      detail: system.cuda
        ? "compiled in"
        : "this addon runs on the CPU alone; `npm run build -- --cuda` builds for a GPU",
    });
  }
  return findings;
}

async function checkModel(model: string | undefined): Promise<Finding> {
  const name = "judge";
  let grm: Grm | undefined;
  try {
    const start = performance.now();
    grm = await Grm.load({ model });
    const loaded = performance.now();
    const trial = {
      query: "Write one short line. Mention river. End with dog.",
      responses: ["the river saw a dog", "a lamp"],
    };
    const { valid, k, usage } = await grm.judge(trial, { k: 2, maxTokens: 256 });
    const {
      description,
      backend,
      threads,
      contextTokens,
      cacheTokens,
      kv,
      hasHead,
      packedWeights,
      calibrated,
    } = grm.info;
    const facts = [
      `${description} on ${backend}, ${threads} threads, context ${contextTokens}, ${kv} KV cache of ${cacheTokens}`,
      hasHead ? "with a meta RM" : "without a meta RM",
      packedWeights!.matrices === 0
        ? "no packed weights"
        : `${packedWeights!.matrices} packed weights (${gibibytes(packedWeights!.bytes)} GiB)`,
      calibrated === undefined ? "not calibrated" : `calibrated on ${calibrated}`,
      `loaded in ${Math.round(loaded - start)} ms, trial ${Math.round(usage.milliseconds)} ms, ${valid} of ${k} valid`,
    ];
    return { name, state: "ok", detail: facts.join(", ") };
  } catch (error) {
    return { name, state: "missing", detail: (error as Error).message };
  } finally {
    await grm?.close();
  }
}

async function firstLine(command: string, args: string[]): Promise<string | null> {
  return (await output(command, args))?.split("\n")[0] ?? null;
}

async function lastLine(command: string, args: string[]): Promise<string | null> {
  return (await output(command, args))?.split("\n").at(-1) ?? null;
}

/** What a program prints, or null if it is not there or fails: both mean that it cannot be used. */
async function output(command: string, args: string[]): Promise<string | null> {
  try {
    const { stdout } = await run(command, args, { timeout: 10_000 });
    return stdout.trim() || null;
  } catch {
    return null;
  }
}

function formatFindings(findings: readonly Finding[], terminal: Terminal): string {
  const paint = styler(terminal);
  const marks = { ok: paint("green", "ok"), missing: paint("red", "MISSING"), absent: paint("yellow", "-") };
  const plain = { ok: "ok", missing: "MISSING", absent: "-" };
  const width = Math.max(...findings.map(({ name }) => name.length));
  return findings
    .map(({ name, state, detail }) => {
      const mark = marks[state] + " ".repeat(8 - plain[state].length);
      const indent = " ".repeat(width + 10);
      return `${mark}${name.padEnd(width)}  ${wrap(printable(detail), terminal.width, indent).trimStart()}`;
    })
    .join("\n");
}

function gibibytes(bytes: number): string {
  return (bytes / 2 ** 30).toFixed(1);
}
