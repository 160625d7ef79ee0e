// What the package exports for training, used as a user would: the example, and the errors of what it stands on.
import { spawnSync } from "node:child_process";
import { resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { createTrainer, groupAdvantages, openTrainer, SpctError } from "../../dist/index.js";

const root = resolve(import.meta.dirname, "../..");
const judge = resolve(root, "models/default.gguf");

test("the policy example trains a writer by the judge's scores", { timeout: 300_000 }, () => {
  const program = resolve(root, "examples/train_policy.mjs");
  const args = [program, "--steps", "2", "--warm-up", "4"];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8", cwd: root });
  expect(stderr).toBe("");
  expect(status).toBe(0);
  const rewards = [...stdout.matchAll(/^step \d\/2 {2}reward ([\d.]+) {2}KL/gm)].map((match) =>
    Number(match[1]),
  );
  expect(rewards).toHaveLength(2);
  for (const reward of rewards) {
    expect(reward).toBeGreaterThanOrEqual(1);
    expect(reward).toBeLessThanOrEqual(10);
  }
});

describe("wrong use has a code", () => {
  const shape = { embedding: 32, layers: 1, heads: 2, kvHeads: 1, feedForward: 64, context: 64 };

  test.each([
    ["a file that is not there", () => openTrainer({ path: "nowhere.gguf" }), "MODEL_NOT_FOUND"],
    ["a file that is no GGUF", () => openTrainer({ path: resolve(root, "package.json") }), "NOT_A_GGUF"],
    ["no path", () => openTrainer({} as never), "INVALID_ARGUMENT"],
    [
      "heads that do not divide the width",
      () => createTrainer({ vocabularyPath: judge, shape: { ...shape, heads: 5 }, seed: 1 }),
      "UNSUPPORTED_MODEL",
    ],
  ])("%s", async (_, open, code) => {
    const error = await open().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(SpctError);
    expect(error).toMatchObject({ code });
  });

  test("rewards that do not fill their groups", () => {
    expect(() => groupAdvantages([1, 2, 3], 2)).toThrow(
      expect.objectContaining({ code: "INVALID_ARGUMENT" }),
    );
    expect([...groupAdvantages([1, -1], 2, "none")]).toEqual([1, -1]);
  });
});
