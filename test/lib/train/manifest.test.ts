import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { writeTrainManifest } from "../../../lib/train/manifest.js";

const folder = mkdtempSync(join(tmpdir(), "spct-manifest-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("a manifest names what went in, by content, and what came of it", async () => {
  const data = join(folder, "data.jsonl");
  await writeFile(data, "{}\n");
  const path = join(folder, "out.gguf.manifest.json");
  const manifest = { kind: "sft", options: { epochs: 2 }, seed: 7, counts: { steps: 10 } };
  await writeTrainManifest(path, { ...manifest, inputs: { data, general: undefined } });
  const sha256 = createHash("sha256").update("{}\n").digest("hex");
  expect(JSON.parse(await readFile(path, "utf8"))).toEqual({
    ...manifest,
    inputs: { data: { path: data, sha256 } },
    build: { spct: expect.any(String), node: process.versions.node, platform: expect.any(String) },
  });
  expect(readdirSync(folder).sort()).toEqual(["data.jsonl", "out.gguf.manifest.json"]);
});
