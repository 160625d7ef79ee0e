// What it takes to measure recorded judgements again, by their number: node bench/recorded.mjs [rounds] [items ...]
// Writes as many made-up items of two responses with k = 8 judgements each (as long as the default judge's) into a temporary
// folder and measures them by the command line, in a process of its own each time:
//   vote     spct vote
//   eval     spct eval custom --from
//   shuffled the same, rows in another order than the judgements
//   report   the same with --out: draws the report
// Prints Markdown: seconds, median (least - most) of the rounds, and the largest resident memory of any of them.
import { spawnSync } from "node:child_process";
import { createWriteStream, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { uniform } from "../dist/vote/draw.js";

const [rounds = 3, ...sizes] = process.argv.slice(2).map(Number);
if (![rounds, ...sizes].every((value) => Number.isInteger(value) && value > 0)) {
  console.error(`Expected positive integers but received ${process.argv.slice(2).join(" ")}`);
  process.exit(2);
}

const samples = 8;
const spct = fileURLToPath(new URL("../bin/spct.js", import.meta.url));
const reportMemory = `data:text/javascript,process.on("exit",()=>process.stderr.write("\\n"+process.resourceUsage().maxRSS))`;

/** Scores lean towards response `label`, so that there is something to measure. */
function judgement(index) {
  const label = index % 2;
  const scores = (sample) =>
    [0, 1].map(
      (response) => 1 + Math.floor(uniform(index, sample, response) * (response === label ? 10 : 8)),
    );
  return {
    id: `item-${index}`,
    subset: `subset ${index % 10}`,
    n: 2,
    label,
    samples: Array.from({ length: samples }, (_, sample) => {
      const drawn = uniform(index, sample) < 0.01 ? null : scores(sample);
      return {
        order: sample % 2 === 0 ? [0, 1] : [1, 0],
        scores: drawn,
        ...(drawn === null ? { reason: "no-scores" } : {}),
        meta: uniform(index, sample, 2),
        text: `Principles:\n1. Accuracy (weight: 60%)\n2. Length (weight: 40%)\n\nCritique:\nResponse 1 says ${index}, and response 2 does not.\n\nScores: \\boxed{${drawn ?? ""}}`,
        seed: sample,
        tokens: 40 + Math.floor(40 * uniform(index, sample, 3)),
      };
    }),
  };
}

function row(index) {
  const query = `Which number is item ${index}?`;
  return {
    id: `item-${index}`,
    query,
    responses: [`It is **${index}**.`, "I would not know."],
    label: index % 2,
    subset: `subset ${index % 10}`,
  };
}

async function writeLines(path, count, line) {
  const stream = createWriteStream(path);
  for (let index = 0; index < count; index++) {
    if (!stream.write(`${JSON.stringify(line(index))}\n`))
      await new Promise((resolve) => stream.once("drain", resolve));
  }
  await new Promise((resolve) => stream.end(resolve));
}

/** Seconds and megabytes of one command line. */
function measure(args) {
  const start = performance.now();
  const { status, stderr } = spawnSync(
    process.execPath,
    ["--import", reportMemory, spct, ...args, "--json"],
    {
      encoding: "utf8",
      maxBuffer: 2 ** 26,
    },
  );
  if (status !== 0) throw new Error(`spct ${args.join(" ")} failed: ${stderr}`);
  const kilobytes = Number(stderr.trim().split("\n").at(-1));
  return { seconds: (performance.now() - start) / 1000, megabytes: kilobytes / 1024 };
}

function summarize(runs) {
  const seconds = runs.map((run) => run.seconds).toSorted((left, right) => left - right);
  const [median, least, most] = [seconds[seconds.length >> 1], seconds[0], seconds.at(-1)].map((one) =>
    one.toFixed(1),
  );
  return `${median} (${least} - ${most}) | ${Math.max(...runs.map((run) => run.megabytes)).toFixed(0)}`;
}

const folder = mkdtempSync(join(tmpdir(), "spct-recorded-"));
try {
  console.log("| items | judgements, MB | command | seconds | resident, MB |\n|---|---|---|---|---|");
  for (const items of sizes.length > 0 ? sizes : [10_000, 100_000]) {
    const [rows, shuffled, judgements] = ["rows", "shuffled", "judgements"].map((name) =>
      join(folder, `${name}.jsonl`),
    );
    await writeLines(rows, items, row);
    await writeLines(shuffled, items, (index) => row(items - 1 - index));
    await writeLines(judgements, items, judgement);
    const evaluate = ["eval", "custom", "--from", judgements, "--data"];
    const commands = {
      vote: ["vote", judgements],
      eval: [...evaluate, rows],
      shuffled: [...evaluate, shuffled],
      report: [...evaluate, rows, "--out", join(folder, "run")],
    };
    const runs = Object.fromEntries(Object.keys(commands).map((name) => [name, []]));
    for (let round = 0; round < rounds; round++)
      for (const [name, args] of Object.entries(commands)) runs[name].push(measure(args));
    const size = (statSync(judgements).size / 1e6).toFixed(0);
    for (const [name, measured] of Object.entries(runs))
      console.log(`| ${items.toLocaleString("en")} | ${size} | ${name} | ${summarize(measured)} |`);
  }
} finally {
  rmSync(folder, { recursive: true });
}
