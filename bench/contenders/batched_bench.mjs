// llama-batched-bench: the raw decoding speed of llama.cpp at a batch size, without sampling, text or requests.
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { batchedBench } from "../peers/build.mjs";

/** Milliseconds of one decoding step of `rows` sequences that share a prompt. */
export async function batchedStep({ model, promptTokens, rows, steps, threads }) {
  const cells = Math.ceil((promptTokens + rows * steps) / 256) * 256 + 256;
  const work = ["-npp", promptTokens, "-ntg", steps, "-npl", rows, "-pps", "-kvu"];
  const engine = ["-m", model, "-c", cells, "-b", 2048, "-ub", 512, "-t", threads, "-tb", threads];
  const args = [...engine, ...work, "--output-format", "jsonl"].map(String);
  const { stdout } = await promisify(execFile)(batchedBench, args, { maxBuffer: 2 ** 24 });
  const line = stdout.split("\n").find((text) => text.startsWith("{"));
  if (line === undefined) throw new Error(`llama-batched-bench printed no figures: ${stdout.slice(0, 300)}`);
  const { t_tg } = JSON.parse(line);
  return (1000 * t_tg) / steps;
}
