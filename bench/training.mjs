// How fast the trainer learns, and in how much memory, beside llama.cpp's llama-finetune: node bench/training.mjs [--rounds 5]
// [--threads 2] [--context 256] [--windows 64] [--batch 2] [--width 128] [--layers 4]
//
// Both start from one llama of random F32 weights and the default judge's vocabulary, and learn every token of the same windows
// of the same text with AdamW. A window is a step of llama-finetune, which cannot have more; ours has --batch of them in a step.
// llama-finetune leaves the embeddings, keys and values untrained (see llama_opt), so it does less. In turn, each in a process
// of its own. Prints medians and the smallest and largest of the rounds as one JSON object: tokens a second between the first
// and the last report of progress, tokens for each second of CPU (whole process), and the most memory resident (ours with Node).
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const self = fileURLToPath(import.meta.url);
const root = dirname(dirname(self));
const defaults = { rounds: 5, threads: 2, context: 256, windows: 64, batch: 2, width: 128, layers: 4 };
const { values } = parseArgs({
  options: {
    ours: { type: "string" },
    ...Object.fromEntries(Object.keys(defaults).map((name) => [name, { type: "string" }])),
  },
});
const options = Object.fromEntries(
  Object.entries(defaults).map(([name, value]) => [name, Number(values[name] ?? value)]),
);
for (const [name, value] of Object.entries(options)) {
  if (Number.isInteger(value) && value > 0) continue;
  console.error(`Expected a positive integer for --${name} but received ${values[name]}`);
  process.exit(2);
}
const rate = 1e-4;

/** llama-finetune is built from the same source as the addon, once, in a folder of its own. */
function buildFinetune() {
  const folder = join(root, "build", "llama-finetune");
  const program = join(folder, "bin", "llama-finetune");
  if (existsSync(program)) return program;
  if (!existsSync(join(root, ".cache", "llama.cpp"))) {
    execFileSync(process.execPath, [
      join(root, "scripts", "fetch-llama.mjs"),
      join(root, ".cache", "llama.cpp"),
    ]);
  }
  const off = ["BUILD_SHARED_LIBS", "LLAMA_OPENSSL"];
  for (const part of ["TESTS", "TOOLS", "SERVER", "APP"]) off.push(`LLAMA_BUILD_${part}`);
  const on = ["LLAMA_BUILD_COMMON", "LLAMA_BUILD_EXAMPLES"];
  const set = [...off.map((name) => `-D${name}=OFF`), ...on.map((name) => `-D${name}=ON`)];
  const cmake = (...args) => execFileSync("cmake", args, { cwd: root, stdio: ["ignore", 2, 2] });
  cmake("-S", ".cache/llama.cpp", "-B", folder, "-DCMAKE_BUILD_TYPE=Release", ...set);
  cmake("--build", folder, "--target", "llama-finetune", "--parallel", String(availableParallelism()));
  return program;
}

/** Text of --windows windows that overlap by half, as llama-finetune cuts them, and the model that learns it. */
async function prepare(folder) {
  const { loadAddon } = await import("../dist/native.js");
  const { writeGgufMetadata } = await import("../dist/train/gguf_metadata.js");
  const { judgeVocabulary } = await import("../dist/train/judge_vocabulary.js");
  const { compactPrompt } = await import("../dist/train/prompt_tokens.js");
  const { RequirementTask } = await import("../dist/train/tasks/requirements.js");
  const vocabulary = judgeVocabulary();
  const vocabularyPath = join(folder, "vocabulary.gguf");
  await writeGgufMetadata(vocabularyPath, vocabulary.toGguf());
  const shape = {
    embedding: options.width,
    layers: options.layers,
    heads: 4,
    kvHeads: 4,
    feedForward: 3 * options.width,
    context: 2 * options.context,
  };
  const trainer = await loadAddon().Trainer.create({ vocabularyPath, shape, seed: 1 });
  await trainer.save(join(folder, "model.gguf"), "f32");

  const stride = options.context / 2;
  const enough = options.windows * stride + options.context + 1;
  const task = new RequirementTask();
  const native = await loadAddon().loadVocabulary(vocabularyPath);
  let text = "";
  let tokens = [];
  for (let seed = 0; tokens.length < enough; seed++) {
    const item = task.generate(seed);
    text += `${compactPrompt(item.query, item.responses)}${task.trajectory(item, seed)}`;
    if (seed % 20 === 0) tokens = await native.tokenize([{ text, special: false }]);
  }
  text = native.text(tokens.slice(0, enough));
  tokens = await native.tokenize([{ text, special: false }]);
  const windows = Math.floor((tokens.length - options.context - 1) / stride);
  writeFileSync(join(folder, "text.txt"), text);
  writeFileSync(join(folder, "tokens.json"), JSON.stringify({ tokens: [...tokens], windows, stride }));
  return { windows, parameters: trainer.info.parameters };
}

/** In a process of its own: one pass over the windows, a line on standard error after each step. */
async function train(folder) {
  const { loadAddon } = await import("../dist/native.js");
  const { toBatch } = await import("../dist/train/dataset.js");
  const { tokens, windows, stride } = JSON.parse(readFileSync(join(folder, "tokens.json"), "utf8"));
  const { threads, context, batch } = options;
  const path = join(folder, "model.gguf");
  const trainer = await loadAddon().Trainer.open({
    path,
    threads,
    microBatchTokens: context * Math.ceil(batch / threads),
  });
  for (let first = 0; first < windows; first += batch) {
    const examples = [];
    for (let at = first; at < Math.min(windows, first + batch); at++) {
      const window = tokens.slice(at * stride, at * stride + context);
      examples.push({ prompt: window.slice(0, 1), completion: window.slice(1) });
    }
    await trainer.step(toBatch(examples), rate);
    console.error(`data=${Math.min(windows, first + batch)}/${windows}`);
  }
  await trainer.save(join(folder, "ours.gguf"), "f32");
}

/** Peak resident memory in MiB and CPU seconds of a process that runs, where /proc tells. */
function usage(pid) {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    const [user, system] = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ").slice(11, 13);
    const memory = Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) / 1024;
    return Number.isNaN(memory) ? undefined : { memory, cpu: (Number(user) + Number(system)) / 100 };
  } catch {
    return undefined;
  }
}

/** Runs a trainer that reports data=done/all on standard error. */
function measure(command, args, tokens) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, stdio: ["ignore", "ignore", "pipe"] });
    let last;
    let output = "";
    let first;
    let final;
    const watch = setInterval(() => {
      last = usage(child.pid) ?? last;
    }, 20);
    child.stderr.on("data", (chunk) => {
      output = (output + chunk).slice(-4000);
      const marks = [...`${chunk}`.matchAll(/data=0*(\d+)\/0*(\d+)\s/g)];
      if (marks.length === 0) return;
      const [, done, all] = marks.at(-1);
      final = { share: Number(done) / Number(all), time: performance.now() };
      first ??= final;
    });
    child.on("close", (code) => {
      clearInterval(watch);
      if (code !== 0 || first === final || final === undefined) {
        reject(new Error(`${command} ended with ${code}:\n${output}`));
        return;
      }
      const seconds = (final.time - first.time) / 1000;
      resolve({
        tokensPerSecond: ((final.share - first.share) * tokens) / seconds,
        tokensPerCpuSecond: last && tokens / last.cpu,
        peakMiB: last?.memory,
      });
    });
  });
}

function summary(rounds) {
  const figures = (name) => {
    const sorted = rounds.map((round) => round[name]).sort((a, b) => a - b);
    const [median, least, most] = [sorted[Math.floor(sorted.length / 2)], sorted[0], sorted.at(-1)];
    const rounded = (value) => (value === undefined ? null : Math.round(value));
    return { median: rounded(median), spread: [rounded(least), rounded(most)] };
  };
  return Object.fromEntries(Object.keys(rounds[0]).map((name) => [name, figures(name)]));
}

if (values.ours !== undefined) {
  await train(values.ours);
} else {
  const program = buildFinetune();
  const folder = mkdtempSync(join(tmpdir(), "spct-bench-"));
  try {
    const { windows, parameters } = await prepare(folder);
    const tokens = windows * options.context;
    const given = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
    const size = String(options.context);
    const contenders = {
      ours: () => measure(process.execPath, [self, "--ours", folder, ...given], tokens),
      llamaFinetune: () =>
        measure(
          program,
          [
            ...[
              "-m",
              join(folder, "model.gguf"),
              "-f",
              join(folder, "text.txt"),
              "-o",
              join(folder, "theirs.gguf"),
            ],
            ...[
              "-c",
              size,
              "-b",
              size,
              "-ub",
              size,
              "-t",
              String(options.threads),
              "-tb",
              String(options.threads),
            ],
            ...["-epochs", "1", "-val-split", "0", "-lr", String(rate)],
          ],
          tokens,
        ),
    };
    const rounds = { ours: [], llamaFinetune: [] };
    const before = loadavg()[0];
    for (let round = 0; round < options.rounds; round++) {
      for (const name of Object.keys(contenders)) rounds[name].push(await contenders[name]());
    }
    const ratios = (name) => rounds.ours.map((ours, round) => ours[name] / rounds.llamaFinetune[round][name]);
    const middle = (numbers) =>
      Number(numbers.sort((a, b) => a - b)[Math.floor(numbers.length / 2)].toFixed(2));
    const result = {
      machine: `${cpus()[0].model}, ${cpus().length} cores, load ${before.toFixed(1)} to ${loadavg()[0].toFixed(1)}`,
      ...options,
      parameters,
      tokens,
      ours: summary(rounds.ours),
      llamaFinetune: summary(rounds.llamaFinetune),
      ratio: {
        tokensPerSecond: middle(ratios("tokensPerSecond")),
        tokensPerCpuSecond: middle(ratios("tokensPerCpuSecond")),
        peakMiB: middle(ratios("peakMiB")),
      },
    };
    console.log(JSON.stringify(result, null, 2));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
