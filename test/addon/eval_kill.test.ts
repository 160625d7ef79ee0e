// A run that is killed again and again must end with the file of a run that was not: nothing lost, nothing twice.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { tinyHead, tinyModel } from "./tiny_model.js";

const kills = 100;
const items = 600;
const program = join(import.meta.dirname, "programs/evaluate.mjs");

/** Runs to the end, or is killed once the file has grown by `growth` bytes. */
async function live(args: string[], folder: string, growth?: number): Promise<number | null> {
  const file = join(folder, "judgements.jsonl");
  const size = () => (existsSync(file) ? statSync(file).size : 0);
  const before = size();
  const [data, ...model] = args;
  const child = spawn(process.execPath, [program, data!, folder, ...model], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  const exit = new Promise<number | null>((resolve) => child.once("exit", resolve));
  while (growth !== undefined && child.exitCode === null && size() < before + growth) await sleep(1);
  if (growth !== undefined) child.kill("SIGKILL");
  return exit;
}

test.each(["a scripted judge", "a model"])(
  `${kills} kills of %s leave the file of an uninterrupted run`,
  { timeout: 600_000 },
  async (kind) => {
    const scratch = mkdtempSync(join(tmpdir(), "spct-kill-"));
    try {
      const data = join(scratch, "rows.jsonl");
      const row = (index: number) => ({
        id: `item-${index}`,
        query: `q ${index}`,
        responses: ["a", "b"],
        label: 0,
      });
      writeFileSync(data, Array.from({ length: items }, (_, index) => JSON.stringify(row(index))).join("\n"));
      const model = join(scratch, "tiny.gguf");
      writeFileSync(model, tinyModel());
      writeFileSync(join(scratch, "tiny.head.gguf"), tinyHead({ weight: 0.1 }));
      const args = kind === "a model" ? [data, model] : [data];
      expect(await live(args, join(scratch, "whole"))).toBe(0);
      const whole = readFileSync(join(scratch, "whole/judgements.jsonl"));
      const interrupted = join(scratch, "interrupted");
      const step = whole.length / kills;
      let killed = 0;
      for (let life = 0; life < kills; life++) {
        const code = await live(args, interrupted, Math.max(1, Math.floor(step * Math.random())));
        if (code === null) killed++;
        const kept = readFileSync(join(interrupted, "judgements.jsonl"));
        expect(whole.subarray(0, kept.length).equals(kept)).toBe(true);
      }
      expect(killed).toBe(kills);
      expect(await live(args, interrupted)).toBe(0);
      expect(readFileSync(join(interrupted, "judgements.jsonl")).equals(whole)).toBe(true);
    } finally {
      rmSync(scratch, { recursive: true });
    }
  },
);
