// spct beside other programs on this machine: npm run bench -- [--quick] [--json] [--docs <folder>]
//   [--parts <name>]... [--shape <name>]... [--type <name>]...
//   --quick            what fits into ten minutes on two cores, on a small shape
//   --json             the last line is one JSON object; progress goes to standard error
//   --docs <folder>    writes the page with the tables and its plots there: benchmarks-peers.md, peers.svg, growth.svg
//   --parts <name>     one of judging, decoding, busy-core, list, latency, growth; a quick run leaves growth out
//   --shape, --type    of the random weights; list, latency and growth take the first of each
//   --rounds, --samples, --tokens, --threads   the workload
// Everything measured is appended to measurements.jsonl in the run's folder at once, so that an ended run loses nothing.
import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism, constants, cpus, loadavg } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { shapeNames, weightTypes } from "../dist/bench/shapes.js";
import { loadAddon } from "../dist/native.js";
import { busyCoreCases, listCase, waitingPolicies } from "./alone.mjs";
import { drawGrowth, drawPeers } from "./chart.mjs";
import { decodingCases, machineLimits } from "./decoding.mjs";
import { growth as measureGrowth } from "./growth.mjs";
import { judgingCases } from "./judging_peers.mjs";
import { latencyCases } from "./latency.mjs";
import { markdownOf } from "./markdown.mjs";
import { buildPeers } from "./peers/build.mjs";
import { Setting } from "./setting.mjs";

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    parts: { type: "string", multiple: true },
    shape: { type: "string", multiple: true },
    type: { type: "string", multiple: true, default: ["q8_0"] },
    docs: { type: "string" },
    rounds: { type: "string", default: "5" },
    samples: { type: "string", default: "32" },
    tokens: { type: "string" },
    threads: { type: "string", default: String(availableParallelism()) },
  },
});

function positive(name, text) {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  console.error(`Expected a positive integer for --${name} but received ${text}`);
  process.exit(2);
}

function known(name, given, allowed) {
  const wrong = given.find((one) => !allowed.includes(one));
  if (wrong === undefined) return given;
  console.error(`Expected one of ${allowed.join(", ")} for --${name} but received ${wrong}`);
  process.exit(2);
}

const quick = values.quick;
const smallest = "qwen3-0.1b";
const chosenShapes = known(
  "shape",
  values.shape ?? (quick ? [smallest] : [smallest, "qwen3-0.6b"]),
  shapeNames,
);
const types = known("type", values.type, weightTypes);
const allParts = ["judging", "decoding", "busy-core", "list", "latency", "growth"];
const parts = known("parts", values.parts ?? (quick ? allParts.slice(0, -1) : allParts), allParts);
const most = positive("rounds", values.rounds);
const threads = positive("threads", values.threads);
const k = positive("samples", values.samples);
const maxTokens = positive("tokens", values.tokens ?? (quick ? "48" : "96"));
const least = Math.min(quick ? 2 : 3, most); // a slow machine may end a quick run with two rounds
const pair = { queryWords: 50, responseWords: 50, responses: 2, orderings: 2, k, maxTokens };
const steps = { ...pair, maxTokens: Math.min(maxTokens, 16) }; // the same for long, in rounds that lie close together
const list = { ...pair, responses: 5, orderings: 5, responseWords: 800, k: 32, maxTokens: 2 };

const chosen = (...some) => some.some((part) => parts.includes(part));

if (chosen("judging", "decoding", "growth")) buildPeers();
const started = new Date();
const folder = join("runs", `bench-${started.toISOString().replace(/[:.]/g, "-")}`);
const places = values.docs === undefined ? [folder] : [folder, values.docs];
for (const place of places) mkdirSync(place, { recursive: true });
const loadBefore = loadavg()[0];
const say = (text) => console.error(`bench: ${Math.round((Date.now() - started) / 1000)} s, ${text}`);
const record = (measured) =>
  appendFileSync(join(folder, "measurements.jsonl"), `${JSON.stringify(measured)}\n`);

/** Rounds end by then; a full run takes all its rounds. */
const minutes = (count) => (quick ? performance.now() + 60_000 * count : Number.POSITIVE_INFINITY);
const limits = (part, count) => ({
  least,
  most,
  deadline: minutes(count),
  onMeasured: (measured) => {
    record({ part, ...measured });
    say(
      `${part}: ${measured.contender}, round ${measured.round + 1} of at most ${most}, ${measured.seconds.toPrecision(3)}`,
    );
  },
});

const cases = [];
const growth = [];
let setting;
// A child that is paused would not notice that the bench has ended.
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, () => {
    setting?.stop();
    console.error(`\nbench: ended early; what was measured is in ${folder}`);
    process.exit(128 + constants.signals[signal]);
  });
}
try {
  let machine;
  if (chosen("decoding")) {
    say("what the machine can do");
    machine = machineLimits(threads, types);
    record({ part: "machine", ...machine });
  }
  for (const shape of chosen("judging", "decoding", "busy-core") ? chosenShapes : []) {
    for (const type of types) {
      say(`${shape} ${type}: random weights`);
      setting = await Setting.of(shape, type, threads);
      const measure = async (part, count, casesOf) => {
        if (chosen(part)) cases.push(...(await casesOf(limits(`${part} ${shape} ${type}`, count))));
      };
      await measure("judging", 5, (limit) => judgingCases(setting, pair, limit));
      await measure("decoding", 1, (limit) => decodingCases(setting, steps, machine, limit));
      const policies = quick ? waitingPolicies.slice(0, 1) : waitingPolicies;
      await measure("busy-core", 0.5, (limit) =>
        busyCoreCases(setting, { ...pair, maxTokens: 12 }, limit, policies),
      );
    }
  }
  setting = await Setting.of(chosenShapes[0], types[0], threads);
  if (chosen("list")) {
    say("a list of responses");
    cases.push(await listCase(setting, list));
  }
  if (chosen("latency")) {
    say("latency");
    const call = { ...pair, k: 8, maxTokens: 8 };
    cases.push(...(await latencyCases(setting, call, { rounds: quick ? 30 : 100, queries: 8 })));
  }
  if (chosen("growth")) {
    const atPoint = () => {
      return { ...limits("growth"), deadline: performance.now() + 40_000, least: 1, most: Math.min(3, most) };
    };
    growth.push(...(await measureGrowth(setting, atPoint, say)));
  }
} finally {
  setting?.stop();
}

const { model } = cpus()[0];
const machine = `${model.trim()}, ${cpus().length} cores`;
const packing = loadAddon().systemInfo().gemm.description;
const results = {
  machine,
  date: started.toISOString().slice(0, 10),
  load: [loadBefore, loadavg()[0]],
  threads,
  packing,
  command: `npm run bench --${process.argv
    .slice(2)
    .map((argument) => ` ${argument}`)
    .join("")}`,
  cases,
  growth,
};
writeFileSync(join(folder, "results.json"), JSON.stringify(results, null, 2));
const against = cases.filter(({ unit }) => unit === undefined);
for (const place of places) {
  writeFileSync(join(place, "benchmarks-peers.md"), markdownOf(results));
  if (against.length > 0) writeFileSync(join(place, "peers.svg"), await drawPeers(against));
  if (growth.length > 0) writeFileSync(join(place, "growth.svg"), await drawGrowth(growth));
}
say(`done: ${folder}`);
if (values.json) {
  const plain = cases.map(({ name, shape, peer, unit, ratio, n, spread }) => ({
    name,
    shape,
    peer,
    unit,
    ratio,
    n,
    spread,
  }));
  console.log(JSON.stringify({ machine, date: results.date, load: results.load, cases: plain }));
} else {
  console.log(markdownOf(results));
}
