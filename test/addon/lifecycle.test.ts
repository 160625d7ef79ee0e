// Ends of engines, threads and processes at awkward moments. Addons of this kind have crashed at exit with a live context, when
// disposed while decoding, in a second worker thread and when a worker was terminated.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { beforeAll, describe, expect, test } from "vitest";
import { Grm } from "../../dist/index.js";
import { scratchFolder, tinyModel } from "./tiny_model.js";

const file = scratchFolder();
const query = { query: "q", responses: ["a", "b"] };
const long = { k: 32, maxTokens: 2000, stopAtBox: false, temperature: 1 };
let model: string;
beforeAll(() => {
  model = file("tiny.gguf", tinyModel({ context: 65_536 }));
});

const load = () => Grm.load({ model, template: "compact", threads: 1 });
const program = (name: string) => fileURLToPath(new URL(`./programs/${name}`, import.meta.url));

async function runProgram(name: string, args: string[]) {
  const child = spawn(process.execPath, [program(name), ...args]);
  let output = "";
  let errors = "";
  child.stdout.on("data", (data) => (output += data));
  child.stderr.on("data", (data) => (errors += data));
  const [code, signal] = await once(child, "close");
  return { code, signal, output: output.trim(), errors };
}

describe("closing", () => {
  test("while judging rejects with CLOSED and can be repeated", async () => {
    const grm = await load();
    const judging = [grm.judge(query, long), grm.judge(query, long)];
    const rejected = judging.map((one) => expect(one).rejects.toMatchObject({ code: "CLOSED" }));
    await new Promise((resolve) => setTimeout(resolve, 50));
    await Promise.all([grm.close(), grm.close()]);
    await Promise.all(rejected);
    await expect(grm.judge(query)).rejects.toMatchObject({ code: "CLOSED" });
    await grm.close();
  });

  test("at any moment of a judging ends it cleanly", async () => {
    for (let round = 0; round < 20; round++) {
      const grm = await load();
      const judging = grm.judge(query, long).catch(({ code }) => code);
      await new Promise((resolve) => setTimeout(resolve, round * 3));
      await grm.close();
      expect(await judging).toBe("CLOSED");
    }
  });

  test("fifty engines one after the other leaves nothing behind", async () => {
    const openFiles = () => process.report.getReport() as unknown as { libuv: unknown[] };
    await (await load()).close();
    const before = openFiles().libuv.length;
    for (let round = 0; round < 50; round++) {
      const grm = await load();
      await grm.judge(query, { k: 2, maxTokens: 4 });
      await grm.close();
    }
    expect(openFiles().libuv.length).toBeLessThanOrEqual(before + 2);
  });
});

describe("cancelling", () => {
  test("rejects soon, keeps the reason, and leaves the engine well", async () => {
    const grm = await load();
    const controller = new AbortController();
    const judging = grm.judge(query, { ...long, signal: controller.signal });
    await new Promise((resolve) => setTimeout(resolve, 50));
    const start = performance.now();
    controller.abort("enough");
    await expect(judging).rejects.toMatchObject({ code: "CANCELLED", cause: "enough" });
    expect(performance.now() - start).toBeLessThan(2000);
    expect((await grm.judge(query, { k: 4, maxTokens: 8 })).samples).toHaveLength(4);
    await grm.close();
  });

  test("one query leaves the others as they would have been", async () => {
    const grm = await load();
    const alone = await grm.judge(query, { k: 4, maxTokens: 40, seed: 3 });
    const controller = new AbortController();
    const cancelled = grm.judge({ query: "other", responses: ["c"] }, { ...long, signal: controller.signal });
    const rejected = expect(cancelled).rejects.toMatchObject({ code: "CANCELLED" });
    const beside = grm.judge(query, { k: 4, maxTokens: 40, seed: 3 });
    setTimeout(() => controller.abort(), 30);
    await rejected;
    const verdict = await beside;
    await grm.close();
    expect(verdict.samples.map(({ seed, order }) => ({ seed, order }))).toEqual(
      alone.samples.map(({ seed, order }) => ({ seed, order })),
    );
    expect(verdict.samples.every(({ tokens }) => tokens > 0)).toBe(true);
  });
});

describe("processes", () => {
  test.each([
    ["exit", 7],
    ["throw", 1],
  ])("%s with a live engine ends with code %i, not with a signal", async (ending, code) => {
    const result = await runProgram("judge_forever.mjs", [model, ending]);
    expect(result).toMatchObject({ code, signal: null, output: "judging" });
  });

  test("closing while judging lets the process end", async () => {
    const result = await runProgram("judge_forever.mjs", [model, "close"]);
    expect(result).toMatchObject({ code: 0, signal: null, output: "judging\nCLOSED" });
  });

  test.each(["none", "process"])(
    "an open judge does not keep the process alive (isolation %s)",
    async (isolation) => {
      expect(await runProgram("idle.mjs", [model, isolation])).toMatchObject({
        code: 0,
        signal: null,
        output: "2",
      });
    },
  );

  test("SIGTERM while judging ends the process", async () => {
    const child = spawn(process.execPath, [program("judge_forever.mjs"), model, "stay"]);
    await once(child.stdout, "data");
    child.kill("SIGTERM");
    expect(await once(child, "close")).toEqual([null, "SIGTERM"]);
  });
});

describe("worker threads", () => {
  const start = (rounds: number, maxTokens: number) =>
    new Worker(program("worker.mjs"), { workerData: { model, rounds, k: 4, maxTokens } });

  test("judge side by side, each alike", async () => {
    const results = await Promise.all(
      Array.from({ length: 3 }, async () => {
        const worker = start(2, 30);
        const texts: string[][] = [];
        worker.on("message", (message) => message.texts && texts.push(message.texts));
        const [code] = await once(worker, "exit");
        return { code, texts };
      }),
    );
    expect(results[0]!.texts).toHaveLength(2);
    for (const result of results) expect(result).toEqual({ code: 0, texts: results[0]!.texts });
  });

  test("may be terminated while they load or judge", async () => {
    for (let round = 0; round < 10; round++) {
      const worker = start(1000, 2000);
      if (round % 2 === 0) await once(worker, "message");
      await new Promise((resolve) => setTimeout(resolve, round * 5));
      expect(await worker.terminate()).toBeOneOf([0, 1]); // 0: before its first line ran
    }
    const grm = await load();
    expect((await grm.judge(query, { k: 2, maxTokens: 4 })).samples).toHaveLength(2);
    await grm.close();
  });
});

test("the event loop turns while a judge works", async () => {
  const grm = await load();
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  await grm.judge(query, { ...long, maxTokens: 200 });
  delay.disable();
  await grm.close();
  // A call that decoded on this thread would block it for a whole judging, which takes hundreds of milliseconds.
  expect(delay.percentile(90) / 1e6).toBeLessThan(50);
});
