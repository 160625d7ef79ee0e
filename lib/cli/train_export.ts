import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { SpctError } from "../errors.js";
import { choice, integer } from "../options.js";
import { loadTemplate } from "../templates.js";
import { readConversations } from "../train/dataset.js";
import { rlRows, sftRows, trainers } from "../train/export/rows.js";
import { readRlItems } from "../train/rl_items.js";
import { readText, toInteger } from "./arguments.js";
import type { Invocation, Terminal } from "./terminal.js";

interface ExportFlags {
  for: string;
  data?: string;
  conversations?: string;
  template: string;
  seed: number;
  out: string;
  json?: boolean;
}

export function registerTrainExport(train: Command, invocation: Invocation): void {
  train
    .command("export")
    .summary("Write training data for TRL, verl or OpenRLHF.")
    .description(
      "Write training data in the fields that a large trainer reads: rl.jsonl with prompts and labels, and the accuracy rule " +
        "as its reward function (spct_reward.py, which says how each trainer is told of it); sft.jsonl with conversations.",
    )
    .requiredOption("--for <trainer>", "trl, verl or openrlhf")
    .option("--data <path>", 'items: {"query", "responses", "label"}, one JSON object on a line')
    .option("--conversations <path>", "what `spct train sft` reads")
    .option("--template <name>", "prompt template of the items", "default")
    .option("--seed <n>", "order of the responses", toInteger, 0)
    .requiredOption("--out <folder>", "where the files are written")
    .option("--json", "print the result as JSON")
    .action(async (flags: ExportFlags) => {
      await exportData(flags, invocation.terminal);
    });
}

async function exportData(flags: ExportFlags, terminal: Terminal): Promise<void> {
  const trainer = choice(...trainers)(flags.for, "for");
  integer(0, 2 ** 52)(flags.seed, "seed");
  if (flags.data === undefined && flags.conversations === undefined) {
    throw new SpctError("INVALID_ARGUMENT", "Expected --data, --conversations or both");
  }
  const files: Record<string, Record<string, unknown>[]> = {};
  if (flags.data !== undefined) {
    const items = readRlItems(await readText(flags.data));
    files["rl.jsonl"] = rlRows(trainer, items, await loadTemplate(flags.template), flags.seed);
  }
  if (flags.conversations !== undefined) {
    files["sft.jsonl"] = sftRows(trainer, readConversations(await readText(flags.conversations)));
  }
  await mkdir(flags.out, { recursive: true });
  for (const [name, rows] of Object.entries(files)) {
    await writeFile(join(flags.out, name), rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  }
  if (flags.data !== undefined) await copyFile(rewardFile, join(flags.out, "spct_reward.py"));
  const counts = Object.fromEntries(Object.entries(files).map(([name, rows]) => [name, rows.length]));
  if (flags.json) terminal.print(JSON.stringify({ out: flags.out, rows: counts }));
  else
    for (const [name, count] of Object.entries(counts))
      terminal.print(`${join(flags.out, name)}: ${count} rows`);
}

/** dist/ and lib/ lie side by side, so the same address serves the compiled and the source file. */
const rewardFile = fileURLToPath(new URL("../../lib/train/export/spct_reward.py", import.meta.url));
