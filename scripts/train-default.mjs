// Makes the judge that ships in models/ from nothing: npm run train:default [-- --out <folder>] [--items <n>]
// It stops with Ctrl-C and continues where it was.
import { mkdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { makeDefaultJudge } from "../dist/train/make_default_judge.js";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { values } = parseArgs({
  options: {
    out: { type: "string", default: join(root, "models") },
    work: { type: "string", default: join(root, ".cache", "train-default") },
    items: { type: "string", default: "1000" },
  },
});
mkdirSync(values.out, { recursive: true });
mkdirSync(values.work, { recursive: true });

const stop = new AbortController();
process.once("SIGINT", () => stop.abort());
try {
  await makeDefaultJudge({
    outFolder: resolve(values.out),
    workFolder: resolve(values.work),
    heldOutItems: Number(values.items),
    signal: stop.signal,
    say: (line) => console.error(line),
  });
} catch (error) {
  if (!stop.signal.aborted) throw error;
  console.error("Stopped; the same command continues.");
  process.exitCode = 1;
}
