import type { Command } from "commander";
import { findModel } from "../models.js";
import { loadAddon } from "../native.js";
import { choice } from "../options.js";
import { headTensors, importHead } from "../train/import_head.js";
import { writeTrainManifest } from "../train/manifest.js";
import { fileHash } from "../train/meta.js";
import type { Invocation, Terminal } from "./terminal.js";

interface ImportFlags {
  safetensors: string;
  tensor?: string;
  model: string;
  kind: string;
  out: string;
  json?: boolean;
}

export function registerTrainImportHead(train: Command, invocation: Invocation): void {
  train
    .command("import-head")
    .summary("Take the head of a sequence classifier from a safetensors file.")
    .description(
      "Write the head file for a GGUF that was converted from a Hugging Face sequence classifier with one label, whose " +
        "conversion leaves the head out. A bias beside the weight is taken along.",
    )
    .requiredOption("--safetensors <path>", "the file that holds the head")
    .option("--tensor <name>", `its weight (default: ${headTensors.join(" or ")})`)
    .requiredOption("--model <path>", "the GGUF whose states it reads")
    .option("--kind <kind>", "reward, or meta for a meta RM", "reward")
    .requiredOption("--out <path>", "the head file to write")
    .option("--json", "print the result as JSON")
    .action(async (flags: ImportFlags) => {
      await importInto(flags, invocation.terminal);
    });
}

async function importInto({ safetensors, tensor, model, kind, out, json }: ImportFlags, terminal: Terminal) {
  const headKind = choice("reward", "meta")(kind, "kind");
  const { modelPath } = await findModel(model, null);
  const addon = loadAddon();
  const width = await addon.stateWidth(modelPath);
  const head = await importHead(safetensors, tensor, width);
  const { weight, bias } = head;
  await addon.writeScoreHead(out, { weight, bias, kind: headKind, backbone: await fileHash(modelPath) });
  await writeTrainManifest(`${out}.manifest.json`, {
    kind: "import-head",
    options: { tensor: head.tensor, kind: headKind },
    seed: 0,
    inputs: { model: modelPath, safetensors },
    counts: { width },
  });
  terminal.print(
    json
      ? JSON.stringify({ out, tensor: head.tensor, width, bias })
      : `${out}: ${head.tensor}, ${width} values`,
  );
}
