import type { Command } from "commander";
import { invalidArgument } from "../errors.js";
import { choice, integer, optional, readOptions, withDefault } from "../options.js";
import { readJudgements } from "../records.js";
import { type Figures, Summarizer, type Summary } from "../vote/summary.js";
import { toInteger } from "./arguments.js";
import { startProgress } from "./progress.js";
import { type Invocation, printable, styler, type Terminal } from "./terminal.js";

interface VoteFlags {
  k?: number;
  kMeta?: number;
  ties?: string;
  aggregate?: string;
  seed?: number;
  json?: boolean;
}

/** The options of a vote, here and in `spct eval`. */
export const voteReaders = {
  k: optional(integer(1)),
  kMeta: optional(integer(1)),
  ties: withDefault(choice("lose", "share", "random"), "share"),
  aggregate: withDefault(choice("sum", "mean"), "sum"),
  seed: withDefault(integer(0), 0),
};

export function registerVote(program: Command, invocation: Invocation): void {
  program
    .command("vote")
    .description("Vote over recorded judgements and compare with their labels.")
    .argument("<file>", "judgements, .jsonl or .jsonl.gz")
    .option("-k <n>", "vote over the first n samples of each item (default: all)", toInteger)
    .option(
      "--k-meta <m>",
      "of those, the m with the highest meta score (default: half, if there are any)",
      toInteger,
    )
    .option(
      "--ties <policy>",
      "lose, share or random: what a tie at the top counts as, a draw for random",
      "share",
    )
    .option("--aggregate <how>", "sum (Eq. 14) or mean over the samples", "sum")
    .option("--seed <n>", "of the draws", toInteger, 0)
    .option("--json", "print the figures as JSON")
    .action(async (file: string, flags: VoteFlags) => {
      invocation.exitCode = await vote(file, flags, invocation.terminal);
    });
}

async function vote(file: string, { json, ...flags }: VoteFlags, terminal: Terminal): Promise<number> {
  const options = readOptions(voteReaders, flags);
  const summarizer = new Summarizer(options);
  const progress = startProgress(terminal, json === true, "Voting");
  try {
    let items = 0;
    for await (const record of readJudgements(file)) {
      if (options.kMeta !== undefined && record.samples.every(({ meta }) => meta === null)) {
        throw invalidArgument(
          "--k-meta",
          `meta scores in every item, and item ${printable(record.id)} has none,`,
          options.kMeta,
        );
      }
      summarizer.add(record);
      if (++items % 1000 === 0) progress.say(`Voting, ${items} items`);
    }
  } finally {
    progress.stop();
  }
  const summary = summarizer.summary();
  terminal.print(json ? JSON.stringify(summary) : formatSummary(summary, terminal));
  return 0;
}

function formatSummary({ bySubset, ...all }: Summary, terminal: Terminal): string {
  const names = Object.keys(bySubset);
  const width = Math.min(32, Math.max(6, ...names.map((name) => name.length)));
  const row = (name: string, { items, skipped, labelled, accuracy, ties, auc }: Figures) =>
    [
      printable(name).slice(0, width).padEnd(width),
      ...[items, skipped, labelled].map((count) => String(count).padStart(9)),
      (accuracy === null ? "-" : `${(100 * accuracy).toFixed(2)}%`).padStart(10),
      String(ties).padStart(7),
      (auc === null ? "-" : auc.toFixed(4)).padStart(8),
    ].join("");
  const columns = ["items", "skipped", "labelled"].map((name) => name.padStart(9)).join("");
  const header = `${"subset".padEnd(width)}${columns}${"accuracy".padStart(10)}${"ties".padStart(7)}${"AUC".padStart(8)}`;
  const paint = styler(terminal);
  return [
    paint("bold", header),
    ...names.map((name) => row(name, bySubset[name]!)),
    paint("bold", row("total", all)),
  ].join("\n");
}
