// How long a judge waits for its trainer's weights: node bench/hot_reload.mjs [rounds] [model.gguf]
//   in place   the weights are copied into the live engine
//   by file    the trainer saves a file, the engine is closed, another one is loaded from the file
// Interleaved; prints medians and the smallest and largest of the rounds, in milliseconds, as one JSON object, with the load of the machine.
import { mkdtempSync, rmSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { LocalEngine } from "../dist/index.js";
import { loadAddon } from "../dist/native.js";

const rounds = Number(process.argv[2] ?? 15);
const model = process.argv[3] ?? fileURLToPath(new URL("../models/default.gguf", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "spct-reload-"));
const trainer = await loadAddon().Trainer.open({ path: model });

async function timed(work) {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

function summary(times) {
  const sorted = times.toSorted((a, b) => a - b);
  const [median, least, most] = [sorted[Math.floor(sorted.length / 2)], sorted[0], sorted.at(-1)].map(
    (time) => Number(time.toFixed(2)),
  );
  return { median, spread: [least, most] };
}

async function measure(type) {
  const path = join(folder, `${type}.gguf`);
  const load = () => LocalEngine.load({ modelPath: path, updatable: true });
  await trainer.save(path, type);
  const live = await load();
  let other = await load();
  const times = { "in place": [], "by file": [] };
  for (let round = 0; round < rounds; round++) {
    times["in place"].push(await timed(() => live.loadWeights(trainer)));
    const byFile = async () => {
      await trainer.save(path, type);
      await other.close();
      other = await load();
    };
    times["by file"].push(await timed(byFile));
  }
  await live.close();
  await other.close();
  return Object.fromEntries(Object.entries(times).map(([name, values]) => [name, summary(values)]));
}

try {
  const { parameters } = trainer.info;
  const result = { parameters, rounds, load: loadavg()[0] };
  for (const type of ["f32", "f16", "q8_0"]) result[type] = await measure(type);
  console.log(JSON.stringify(result, null, 2));
} finally {
  rmSync(folder, { recursive: true });
}
