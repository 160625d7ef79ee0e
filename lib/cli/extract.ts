import type { Command } from "commander";
import { extractScores } from "../extract/scores.js";
import { integer, optional, readOptions } from "../options.js";
import { toInteger } from "./arguments.js";
import type { Invocation, Terminal } from "./terminal.js";

interface ExtractFlags {
  responses?: number;
  clamp?: boolean;
  json?: boolean;
}

export function registerExtract(program: Command, invocation: Invocation): void {
  program
    .command("extract")
    .description("Read the scores at the end of a judgement on standard input.")
    .option("--responses <n>", "how many scores there must be (default: any number)", toInteger)
    .option("--clamp", "move scores outside of 1 to 10 to the end of the scale instead of rejecting them")
    .option("--json", 'print {"scores":[8,5]} or {"scores":null,"reason":"..."}')
    .action(async (flags: ExtractFlags) => {
      invocation.exitCode = await extract(flags, invocation.terminal);
    });
}

async function extract({ responses, clamp, json }: ExtractFlags, terminal: Terminal): Promise<number> {
  const options = readOptions({ responses: optional(integer(1)) }, { responses });
  const result = extractScores(await terminal.readInput(), {
    ...options,
    outOfRange: clamp ? "clamp" : "reject",
  });
  if (json) terminal.print(JSON.stringify(result));
  else terminal.print(result.scores === null ? `no scores: ${result.reason}` : result.scores.join(", "));
  return 0;
}
