// Trains what the table in docs/results.md compares, measures it and writes the table: npm run study [-- --only <id>,<id>] [--items <n>]
// It stops with Ctrl-C and continues where it was; the base and the stages are those of npm run train:default.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { defaultRecipe } from "../dist/train/default_judge.js";
import { studyRows } from "../dist/train/study/rows.js";
import { studyTable } from "../dist/train/study/table.js";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { values } = parseArgs({
  options: {
    work: { type: "string", default: join(root, ".cache", "train-default") },
    models: { type: "string", default: join(root, "models") },
    out: { type: "string", default: join(root, "docs", "results.md") },
    items: { type: "string", default: "1000" },
    only: { type: "string" },
  },
});
const known = studyRows.map(({ id }) => id);
const chosen = values.only?.split(",") ?? known;
const unknown = chosen.find((id) => !known.includes(id));
if (unknown !== undefined) {
  console.error(`Expected one of ${known.join(", ")} for --only but received ${unknown}`);
  process.exit(2);
}

const workFolder = resolve(values.work);
const results = join(workFolder, "study");
mkdirSync(results, { recursive: true });
const resultPath = (id) => join(results, `${id}-${values.items}.json`);
const stop = new AbortController();
process.once("SIGINT", () => stop.abort());

for (const row of studyRows.filter(({ id }) => chosen.includes(id))) {
  if (existsSync(resultPath(row.id))) continue;
  console.error(`study ${row.id}: ${row.title}`);
  const options = {
    workFolder,
    models: resolve(values.models),
    items: Number(values.items),
    signal: stop.signal,
  };
  try {
    const result = await row.run({ ...options, say: (line) => console.error(line) });
    writeFileSync(
      resultPath(row.id),
      JSON.stringify({ ...result, date: new Date().toISOString().slice(0, 10) }),
    );
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    console.error("Stopped; the same command continues.");
    process.exit(1);
  }
}

const measured = studyRows.map((row) => {
  const path = resultPath(row.id);
  return { row, result: existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : undefined };
});
const dates = measured.flatMap(({ result }) => (result === undefined ? [] : [result.date]));
const about = `\`npm run study\`, ${dates.sort().at(-1)}, ${cpus().length} x ${cpus()[0].model.trim()}. Held-out items (seeds from 2^40 on); ties at the top worth
their share, an item without a vote nothing; 95 % Wilson intervals. "@8" is voting over 8 samples, at temperature ${defaultRecipe.temperature} of the
default judge and 1 of all others, "meta @8" voting over the half of them that the meta RM ranks highest, "of 1" over the best one. [Why it came out so](results-explained.md).`;
writeFileSync(values.out, studyTable(measured, about));
console.error(`${values.out}: ${dates.length} of ${studyRows.length} rows`);
