// How long judging takes with the default judge: node bench/judging.mjs [rounds]
//   waiting   one query, k = 32, a thread on every core: OpenMP threads that spin shortly while they wait, then sleep (what spct
//             sets), that sleep at once (all it can set where a worker thread loads it first) and that spin on, in turn, on an
//             idle machine and with one core kept busy by another process
//   in flight 32 queries, k = 8: how many are judged at the same time, in turn
//   attention the same 32 queries with flash attention and without
// Prints medians and the smallest and largest of the rounds, in seconds, as one JSON object.
import { spawn, spawnSync } from "node:child_process";
import { cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";

const self = fileURLToPath(import.meta.url);
const rounds = Number(process.argv[2] ?? 5);

const query = "Write one short line. Mention river (important). Avoid lamp. End with dog. Mention snow.";
const responses = ["the river ran to the sea and saw a dog", "one old lamp in the snow"];

async function measure(mode, argument) {
  const { Grm } = await import("../dist/index.js");
  const options = { waiting: { threads: cpus().length }, attention: { flashAttention: argument } };
  const grm = await Grm.load({ meta: null, ...options[mode] });
  await grm.judge({ query, responses }, { k: 2 });
  const start = performance.now();
  if (mode === "waiting") await grm.judge({ query, responses }, { k: 32 });
  else {
    const queries = Array.from({ length: 32 }, () => ({ query, responses }));
    const concurrency = mode === "attention" ? undefined : Number(argument);
    for await (const verdict of grm.judgeMany(queries, { k: 8, concurrency })) {
      if (verdict.valid === 0) throw new Error("no valid sample");
    }
  }
  console.log((performance.now() - start) / 1000);
  await grm.close();
}

function run(mode, argument, environment = {}) {
  const { stdout, status } = spawnSync(process.execPath, [self, "--measure", mode, String(argument)], {
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (status !== 0) process.exit(1);
  return Number(stdout);
}

function inTurn(contenders) {
  const times = contenders.map(() => []);
  for (let round = 0; round < rounds; round++) {
    contenders.forEach(([, once], index) => {
      times[index].push(once());
    });
  }
  return Object.fromEntries(
    contenders.map(([name], index) => {
      const sorted = times[index].toSorted((a, b) => a - b);
      const figures = [sorted[Math.floor(rounds / 2)], sorted[0], sorted[rounds - 1]];
      const [median, least, most] = figures.map((seconds) => Number(seconds.toFixed(3)));
      return [name, { median, spread: [least, most] }];
    }),
  );
}

const [flag, mode, argument] = process.argv.slice(2);
if (flag === "--measure" && process.env.BENCH_IN_WORKER === "1") {
  new Worker(self, { argv: [flag, mode, argument], env: { ...process.env, BENCH_IN_WORKER: "" } });
} else if (flag === "--measure") {
  await measure(mode, argument);
} else {
  const policies = [
    ["spinning shortly", () => run("waiting", "")],
    ["sleeping, in a worker thread", () => run("waiting", "", { BENCH_IN_WORKER: "1" })],
    ["spinning on", () => run("waiting", "", { OMP_WAIT_POLICY: "active" })],
  ];
  const idle = inTurn(policies);
  const neighbour = spawn(process.execPath, ["-e", "for (;;);"]);
  const busy = inTurn(policies);
  neighbour.kill();
  const inFlight = inTurn([1, 2, 4, 16].map((queries) => [queries, () => run("in-flight", queries)]));
  const attention = inTurn(["on", "off"].map((flash) => [flash, () => run("attention", flash)]));
  const machine = `${cpus()[0].model}, ${cpus().length} cores`;
  console.log(
    JSON.stringify({ machine, rounds, waiting: { idle, oneCoreBusy: busy }, inFlight, attention }, null, 2),
  );
}
