import { join } from "node:path";
import type { Command } from "commander";
import { invalidArgument, SpctError } from "../errors.js";
import { findBenchmark } from "../eval/benchmarks/index.js";
import { download } from "../pull/download.js";
import { publicHosts } from "../pull/hosts.js";
import { isPublishedModel, modelFolder, publishedModel, refuseSeveral } from "../pull/models.js";
import { listFiles, type Publication, placeOf, type RemoteFile } from "../pull/repository.js";
import { bar, type Progress, startProgress } from "./progress.js";
import type { Invocation, Terminal } from "./terminal.js";

interface PullFlags {
  out?: string;
  yes?: boolean;
  json?: boolean;
}

/** What is to be downloaded from where to where. */
interface Wanted {
  title: string;
  publications: readonly Publication[];
  folder: string;
  /** Whether a file keeps the name of its repository's folder, as sets of several repositories are told apart by it. */
  nested: boolean;
}

export function registerPull(program: Command, invocation: Invocation): void {
  program
    .command("pull")
    .summary("Download a benchmark or a model, after asking.")
    .description(
      "Download a benchmark's rows from where its authors publish them, or a GGUF from Hugging Face. Nothing is requested before the answer is yes. A download that broke off is continued by the same command; a file appears when its hash is right.",
    )
    .argument("<what>", "dataset:<benchmark>, or hf:<owner>/<name>[:<quant>]")
    .option(
      "--out <folder>",
      "where to (default: data/<benchmark>; for a model SPCT_MODELS or ~/.cache/spct/models, where --model finds it)",
    )
    .option("--yes", "do not ask")
    .option("--json", "print what was downloaded as JSON")
    .action(async (what: string, flags: PullFlags) => {
      invocation.exitCode = await pull(what, flags, invocation.terminal);
    });
}

async function pull(what: string, { out, yes, json }: PullFlags, terminal: Terminal): Promise<number> {
  const wanted = readWanted(what, out);
  const hosts = publicHosts();
  for (const publication of wanted.publications)
    terminal.warn(`${wanted.title} is published at ${placeOf(publication, hosts)}; its licence stands there`);
  if (!yes && !(await agrees(wanted, terminal))) {
    terminal.warn("spct: nothing was downloaded");
    return 1;
  }
  const progress = startProgress(terminal, json === true, "Looking for the files");
  const files: string[] = [];
  try {
    for (const publication of wanted.publications) {
      const listed = await listFiles(publication, hosts);
      if (publication.site === "hugging face model") {
        const paths = listed.map(({ path }) => path);
        refuseSeveral(paths, "what", what);
      }
      const [, name] = publication.repository.split("/");
      const folder = wanted.nested ? join(wanted.folder, name!) : wanted.folder;
      for (const file of listed) files.push(await fetchFile(file, folder, progress));
    }
  } finally {
    progress.stop();
  }
  terminal.print(json ? JSON.stringify({ folder: wanted.folder, files }) : files.join("\n"));
  return 0;
}

function readWanted(what: string, out: string | undefined): Wanted {
  if (isPublishedModel(what)) {
    const publication = publishedModel(what);
    return {
      title: what,
      publications: [publication],
      folder: out ?? modelFolder(publication),
      nested: false,
    };
  }
  const [, name] = /^dataset:(.+)$/.exec(what) ?? [];
  if (name === undefined)
    throw invalidArgument("what", "dataset:<benchmark> or hf:<owner>/<name>[:<quant>]", what);
  const { title, source, published } = findBenchmark(name);
  if (published.length === 0)
    throw new SpctError(
      "NOT_PUBLISHED",
      source === "" ? `${title} is published nowhere` : `${title} is to be fetched by hand, from ${source}`,
    );
  return { title, publications: published, folder: out ?? join("data", name), nested: published.length > 1 };
}

async function agrees({ folder }: Wanted, terminal: Terminal): Promise<boolean> {
  if (!terminal.inputIsTerminal)
    throw new SpctError("INVALID_ARGUMENT", "Expected --yes, as nobody can be asked on this standard input");
  const answer = await terminal.ask(`Download it to ${folder}? [y/N] `);
  return /^y(es)?$/i.test(answer.trim());
}

async function fetchFile(file: RemoteFile, folder: string, progress: Progress): Promise<string> {
  const path = join(folder, file.path);
  const megabytes = (file.bytes / 1e6).toFixed(1);
  await download(file, path, (received) =>
    progress.say(`${file.path} ${bar(received, file.bytes)} bytes (${megabytes} MB)`),
  );
  return path;
}
