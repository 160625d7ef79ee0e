import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { SpctError } from "../errors.js";
import { registerBench } from "./bench.js";
import { registerDoctor } from "./doctor.js";
import { registerEval } from "./eval.js";
import { registerExtract } from "./extract.js";
import { registerJudge } from "./judge.js";
import { registerPull } from "./pull.js";
import { type Invocation, processTerminal, type Terminal } from "./terminal.js";
import { registerTrain } from "./train.js";
import { registerVote } from "./vote.js";

const usageExit = 2;
const failureExit = 1;

/** Runs one command line and returns its exit code: 0, 1 for a failure, 2 for a wrong use. The only place that reports
 * errors. */
export async function run(args: readonly string[], terminal: Terminal = processTerminal): Promise<number> {
  const invocation: Invocation = { terminal, exitCode: 0 };
  const program = new Command("spct")
    .description("Generative reward modelling: principles, critiques and scores, sampled and voted.")
    .version(version())
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.print(text.trimEnd()),
      writeErr: (text) => terminal.warn(text.trimEnd()),
    })
    .showHelpAfterError("(see spct --help)");
  for (const register of [
    registerJudge,
    registerVote,
    registerExtract,
    registerEval,
    registerPull,
    registerBench,
    registerDoctor,
    registerTrain,
  ])
    register(program, invocation);
  try {
    await program.parseAsync(args, { from: "user" });
    return invocation.exitCode;
  } catch (error) {
    return report(error, args, terminal);
  }
}

function version(): string {
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  return version;
}

function report(error: unknown, args: readonly string[], terminal: Terminal): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : usageExit;
  const known = SpctError.known(error);
  if (known === undefined) throw error;
  const { code, message } = known;
  if (args.includes("--json")) terminal.print(JSON.stringify({ error: { code, message } }));
  terminal.warn(`spct: ${message}`);
  return code === "INVALID_ARGUMENT" ? usageExit : failureExit;
}
