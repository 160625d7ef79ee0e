// Measuring a judge's engine options, keeping them, and loading with them.
import { execFile } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { calibrate } from "../../dist/bench/calibrate.js";
import { keepCalibration } from "../../dist/calibration.js";
import { run } from "../../dist/cli/main.js";
import { Grm, type LoadOptions } from "../../dist/index.js";
import { scratchFolder, tinyModel } from "./tiny_model.js";

const scratch = scratchFolder();
const executable = fileURLToPath(new URL("../../bin/spct.js", import.meta.url));
const before = process.env.SPCT_CALIBRATION;
let model: string;
let other: string;
let kept: string;
beforeAll(() => {
  model = scratch("tiny.gguf", tinyModel());
  other = scratch("other.gguf", Buffer.concat([tinyModel(), Buffer.alloc(32)]));
  kept = scratch("unset.json", "").replace("unset.json", "folder/calibration.json");
});
afterEach(() => {
  process.env.SPCT_CALIBRATION = before;
});

async function infoOf(options: LoadOptions) {
  const grm = await Grm.load({ template: "compact", ...options });
  await grm.close();
  return grm.info;
}

const settings = { threads: 3, batchTokens: 300, flashAttention: "off", measured: "2026-01-02" } as const;

describe("a calibration", () => {
  test("is used by loads of its model that do not say otherwise", async () => {
    process.env.SPCT_CALIBRATION = kept;
    expect(keepCalibration(model, settings)).toBe(kept);
    expect(await infoOf({ model })).toMatchObject({ threads: 3, calibrated: "2026-01-02" });
    expect(await infoOf({ model, isolation: "process" })).toMatchObject({
      threads: 3,
      calibrated: "2026-01-02",
    });
    expect(await infoOf({ model, threads: 2 })).toMatchObject({ threads: 2, calibrated: "2026-01-02" });
    expect(await infoOf({ model: other })).not.toHaveProperty("calibrated");
    process.env.SPCT_CALIBRATION = "off";
    const plain = await infoOf({ model });
    expect(plain.threads).not.toBe(3);
    expect(plain).not.toHaveProperty("calibrated");
  });

  test("of another model stays when one is kept", () => {
    process.env.SPCT_CALIBRATION = kept;
    keepCalibration(model, settings);
    keepCalibration(other, { ...settings, threads: 1 });
    const models = Object.values<{ model: string; threads: number }>(JSON.parse(readFileSync(kept, "utf8")));
    expect(models.map(({ model, threads }) => [model, threads])).toEqual([
      ["tiny.gguf", 3],
      ["other.gguf", 1],
    ]);
  });

  test.each([
    ["no JSON", "{"],
    ["no object", "[]"],
  ])("that is %s is an error that names the file", async (_, text) => {
    const broken = scratch("broken.json", text);
    process.env.SPCT_CALIBRATION = broken;
    await expect(Grm.load({ model })).rejects.toMatchObject({
      code: "BAD_CALIBRATION",
      message: expect.stringContaining(broken),
    });
  });

  test("with a value out of range is an error that names it", async () => {
    process.env.SPCT_CALIBRATION = kept;
    keepCalibration(model, settings);
    writeFileSync(kept, readFileSync(kept, "utf8").replaceAll('"threads": 3', '"threads": 0'));
    await expect(Grm.load({ model })).rejects.toMatchObject({
      code: "BAD_CALIBRATION",
      message: expect.stringContaining("threads"),
    });
  });
});

test("spct doctor --calibrate measures, keeps the best and says what it measured", async () => {
  const model = scratch("short.gguf", tinyModel({ context: 1024 })); // as the judge that ships has
  const file = scratch("unset2.json", "").replace("unset2.json", "measured.json");
  const env = { ...process.env, SPCT_CALIBRATION: file };
  const args = ["doctor", "--calibrate", "--model", model, "--json"];
  const { stdout } = await promisify(execFile)(process.execPath, [executable, ...args], { env });
  const result = JSON.parse(stdout);
  expect(result).toMatchObject({ model, file });
  expect(existsSync(file)).toBe(true);
  expect(result.trials[0]).toMatchObject({ threads: availableParallelism(), flashAttention: "on" });
  expect(result.trials.length).toBeGreaterThanOrEqual(5);
  for (const { seconds } of result.trials) expect(seconds).toBeGreaterThan(0);
  expect(result.trials).toContainEqual(result.chosen);

  process.env.SPCT_CALIBRATION = file;
  expect(await infoOf({ model })).toMatchObject({
    threads: result.chosen.threads,
    calibrated: expect.stringMatching(/^\d{4}-\d\d-\d\d$/),
  });
}, 300_000);

test("a model with an odd, small context is calibrated on prompts that fit", async () => {
  const small = scratch("small.gguf", tinyModel({ context: 65 }));
  const { best } = await calibrate(small, () => undefined);
  expect(best.seconds).toBeGreaterThan(0);
}, 300_000);

test.each([
  ["off", "INVALID_ARGUMENT"],
  [scratch("damaged.json", "{"), "BAD_CALIBRATION"],
])("nothing is measured where it cannot be kept: %s", async (file, code) => {
  process.env.SPCT_CALIBRATION = file;
  const printed: string[] = [];
  const terminal = { print: (text: string) => printed.push(text), warn: () => undefined, interactive: false };
  const noModel = scratch("text.gguf", "measuring it fails");
  await run(["doctor", "--calibrate", "--model", noModel, "--json"], terminal as never);
  expect(JSON.parse(printed[0]!).error.code).toBe(code);
});
