// The command as a user runs it, with a tiny model: the fixed contracts of its JSON, its exit codes, its messages.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import { scratchFolder, tinyHead, tinyModel } from "./tiny_model.js";

const file = scratchFolder();
const executable = fileURLToPath(new URL("../../bin/spct.js", import.meta.url));
let model: string;
beforeAll(() => {
  model = file("tiny.gguf", tinyModel());
  file("tiny.json", JSON.stringify({ template: "compact", maxTokens: 48, sampling: { temperature: 1 } }));
  file("tiny.head.gguf", tinyHead({ weight: 0.1 }));
});

async function spct(args: string[], input?: string) {
  const child = spawn(process.execPath, [executable, ...args], {
    stdio: [input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
  });
  child.stdin?.end(input);
  let output = "";
  let errors = "";
  child.stdout!.on("data", (data) => (output += data));
  child.stderr!.on("data", (data) => (errors += data));
  const [code] = await once(child, "close");
  return { code, output, errors };
}

const pair = ["--query", "Which is clearer?", "--response", "The sky is blue.", "--response", "Blue sky."];

describe("spct judge", () => {
  test("prints the verdict as JSON", async () => {
    const { code, output, errors } = await spct(["judge", ...pair, "-k", "8", "--json", "--model", model]);
    expect({ code, errors }).toEqual({ code: 0, errors: "" });
    const verdict = JSON.parse(output);
    expect(verdict).toMatchObject({ best: expect.any(Number), k: 8, kMeta: 4, valid: expect.any(Number) });
    expect(verdict.scores).toHaveLength(2);
    expect(verdict.samples).toHaveLength(8);
    for (const { order, meta, text } of verdict.samples) {
      expect([...order].sort()).toEqual([0, 1]);
      expect(typeof meta).toBe("number");
      expect(typeof text).toBe("string");
    }
    expect(verdict.usage).toMatchObject({
      promptTokens: expect.any(Number),
      generatedTokens: expect.any(Number),
    });
  });

  test("prints a report for people, the same judgement from files and from standard input", async () => {
    const flags = ["-k", "4", "--seed", "3", "--model", model];
    const files = [
      "--query-file",
      file("q.txt", "Which is clearer?"),
      "--response-file",
      file("a.txt", "The sky is blue."),
      "--response",
      "Blue sky.",
    ];
    const json = JSON.stringify({ query: "Which is clearer?", responses: ["The sky is blue.", "Blue sky."] });
    const reports = [
      await spct(["judge", ...pair, ...flags]),
      await spct(["judge", ...files, ...flags]),
      await spct(["judge", ...flags], json),
    ];
    const withoutTime = reports.map(({ output }) => output.replace(/^[\d.]+ s.*$/m, ""));
    expect(withoutTime[0]).toMatch(/sample {4}R1 {4}R2/);
    expect(withoutTime[1]).toBe(withoutTime[0]);
    expect(withoutTime[2]).toBe(withoutTime[0]);
  });

  test("judges in a child process alike", async () => {
    const flags = ["judge", ...pair, "-k", "4", "--json", "--model", model];
    const [here, there] = [await spct(flags), await spct([...flags, "--isolation", "process"])];
    const scores = ({ output }: { output: string }) => JSON.parse(output).scores;
    expect(scores(there)).toEqual(scores(here));
  });

  test.each([
    [["-k", "0"], 2, "Expected an integer from 1 to 65536 for k but received 0"],
    [["--temperature", "nan"], 2, "Expected a number but received nan"],
    [["--temperature", "-1"], 2, "for temperature but received -1"],
    [["--response", ""], 2, "for responses[2]"],
    [["--context", "512", "--max-tokens", "500"], 1, "context of 512 tokens, the prompt has "],
    [["--meta", "nowhere.gguf"], 1, "No such file: nowhere.gguf"],
    [["--template", "nowhere.jinja"], 1, "No such template: nowhere.jinja"],
  ])("%j is reported", async (flags, code, message) => {
    const result = await spct(["judge", ...pair, "--model", model, ...flags]);
    expect(result).toMatchObject({ code, output: "", errors: expect.stringContaining(message) });
  });

  test("a file that is no GGUF is reported, as JSON too", async () => {
    const wrong = file("wrong.gguf", "no model");
    const { code, output, errors } = await spct(["judge", ...pair, "--model", wrong, "--json"]);
    expect({ code, error: JSON.parse(output).error.code }).toEqual({ code: 1, error: "NOT_A_GGUF" });
    expect(errors).toContain("wrong.gguf");
  });

  test("exits with 1 when no sample gave scores", async () => {
    const { code, output } = await spct([
      "judge",
      ...pair,
      "--model",
      model,
      "--max-tokens",
      "1",
      "-k",
      "1",
      "--json",
      "--temperature",
      "0",
    ]);
    expect({ code, valid: JSON.parse(output).valid, best: JSON.parse(output).best }).toEqual({
      code: 1,
      valid: 0,
      best: null,
    });
  });
});

describe("spct eval", () => {
  test("stops an item by the vote that it measures", async () => {
    const row = {
      id: "a",
      query: "Which is clearer?",
      responses: ["The sky is blue.", "Blue sky."],
      label: 0,
    };
    const data = file("rows.jsonl", `${JSON.stringify(row)}\n`);
    const out = join(dirname(data), "run");
    const flags = [
      "eval",
      "custom",
      "--data",
      data,
      "--out",
      out,
      "--model",
      model,
      "--no-report",
      "-k",
      "4",
    ];
    const { code, errors } = await spct([...flags, "--flip-risk", "0.002", "--k-meta", "1"]);
    expect({ code, errors }).toEqual({ code: 0, errors: "" });
    const { identity } = JSON.parse(readFileSync(join(out, "manifest.json"), "utf8"));
    expect(identity.judge.options).toMatchObject({ flipRisk: 0.002, kMeta: 1 });
  });
});

describe("spct doctor", () => {
  test("says what there is and tries the judge", async () => {
    const { code, output } = await spct(["doctor", "--model", model, "--json"]);
    const { ok, findings } = JSON.parse(output);
    expect({ code, ok }).toEqual({ code: 0, ok: true });
    const states = Object.fromEntries(
      findings.map(({ name, state }: { name: string; state: string }) => [name, state]),
    );
    expect(states).toMatchObject({
      runtime: "ok",
      machine: "ok",
      addon: "ok",
      "llama.cpp": "ok",
      instructions: "ok",
      judge: "ok",
    });
    const judge = findings.find(({ name }: { name: string }) => name === "judge");
    expect(judge.detail).toMatch(/\d+ threads, .*unified KV cache of \d+/);
    expect(Object.keys(states)).toEqual(
      expect.arrayContaining(["CUDA driver", "CUDA toolkit", "CUDA build"]),
    );
  });

  test("fails when the judge does not load", async () => {
    const { code, output } = await spct(["doctor", "--model", "nowhere.gguf"]);
    expect({ code, output }).toEqual({
      code: 1,
      output: expect.stringMatching(/MISSING judge .*No such file: nowhere\.gguf/),
    });
  });
});
