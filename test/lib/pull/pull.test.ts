import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { run } from "../../../lib/cli/main.js";
import { findModel } from "../../../lib/models.js";
import { download } from "../../../lib/pull/download.js";
import { publicHosts } from "../../../lib/pull/hosts.js";
import { listFiles, type Publication } from "../../../lib/pull/repository.js";
import { FakeTerminal } from "../cli/fake_terminal.js";
import { temporaryFolder } from "../eval/temporary_folder.js";
import { FakeHub } from "./fake_hub.js";

const folder = temporaryFolder();
const large = Buffer.alloc(300_000, "rows ");
const small = Buffer.from("other rows");
let hub: FakeHub;
let address: string;
let place: string;
let count = 0;

async function open(files: Record<string, Buffer>): Promise<void> {
  hub = new FakeHub(files);
  address = await hub.listen();
  process.env.HF_ENDPOINT = address;
}

beforeEach(async () => {
  place = folder.path(`place-${count++}`);
  process.env.SPCT_MODELS = place;
  await open({
    "data/filtered-0.parquet": large,
    "data/filtered-1 b.parquet": small,
    "data/raw-0.parquet": small,
    "README.md": small,
  });
});
afterEach(() => {
  hub.close();
  delete process.env.HF_ENDPOINT;
  delete process.env.SPCT_MODELS;
});

async function spct(args: string[], terminal = new FakeTerminal()) {
  const code = await run(args, terminal);
  return { code, output: terminal.output.join("\n"), errors: terminal.errors.join("\n") };
}

describe("spct pull dataset:", () => {
  test("names the place and requests nothing before the answer is yes", async () => {
    const refused = await spct(["pull", "dataset:rewardbench", "--out", place], new FakeTerminal("n", true));
    expect(refused).toMatchObject({ code: 1, errors: expect.stringContaining("[y/N]") });
    expect(refused.errors).toContain(`RewardBench is published at ${address}/datasets/allenai/reward-bench`);
    expect(hub.requests).toEqual([]);
    expect(existsSync(place)).toBe(false);
    const unasked = await spct(["pull", "dataset:rewardbench", "--out", place]);
    expect(unasked).toMatchObject({ code: 2, errors: expect.stringContaining("Expected --yes") });
    expect(hub.requests).toEqual([]);
    const agreed = await spct(["pull", "dataset:rewardbench", "--out", place], new FakeTerminal("y", true));
    expect(agreed.code).toBe(0);
    expect(readFileSync(join(place, "data/filtered-0.parquet")).equals(large)).toBe(true);
  });

  test("downloads the files of the benchmark, and once only", async () => {
    const args = ["pull", "dataset:rewardbench", "--out", place, "--yes", "--json"];
    const { code, output } = await spct(args);
    expect(code).toBe(0);
    expect(JSON.parse(output)).toEqual({
      folder: place,
      files: ["data/filtered-0.parquet", "data/filtered-1 b.parquet"].map((name) => join(place, name)),
    });
    expect(existsSync(join(place, "data/raw-0.parquet"))).toBe(false);
    hub.requests.length = 0;
    expect((await spct(args)).code).toBe(0);
    expect(hub.requests.map(({ path }) => path)).toEqual(["/api/datasets/allenai/reward-bench/tree/main"]);
  });

  test.each([
    ["dataset:custom", 1, "a data set of your own is published nowhere"],
    ["dataset:realmistake", 1, "to be fetched by hand, from https://github.com/psunlpgroup/ReaLMistake"],
    ["dataset:nothing", 2, "Expected one of rewardbench"],
    ["rewardbench", 2, "Expected dataset:<benchmark> or hf:"],
    ["hf:nobody", 2, "Expected hf:owner/name"],
  ])("%s exits with %i", async (what, code, message) => {
    expect(await spct(["pull", what, "--yes"])).toMatchObject({
      code,
      errors: expect.stringContaining(message),
    });
    expect(hub.requests).toEqual([]);
  });
});

describe("download", () => {
  const data: Publication = { site: "hugging face data", repository: "a/b", files: /filtered-0/ };
  const first = async () => (await listFiles(data, FakeHub.hosts(address)))[0]!;

  test("continues where it broke off", async () => {
    const file = await first();
    const path = join(place, "rows.parquet");
    hub.breakAfter = 70_000;
    await expect(download(file, path, () => undefined)).rejects.toMatchObject({ code: "DOWNLOAD_FAILED" });
    expect(existsSync(path)).toBe(false);
    // How much of what had come is on the disk depends on the moment.
    const known = 70_000;
    writeFileSync(`${path}.part`, large.subarray(0, known));
    const received: number[] = [];
    await download(file, path, (bytes) => received.push(bytes));
    expect(hub.requests.at(-1)!.range).toBe(`bytes=${known}-`);
    expect(received[0]).toBeGreaterThan(known);
    expect(received.at(-1)).toBe(large.length);
    expect(readFileSync(path).equals(large)).toBe(true);
  });

  test("refuses content with another hash and forgets it", async () => {
    const file = await first();
    const path = join(place, "rows.parquet");
    hub.swapped = Buffer.alloc(large.length, "x");
    const failed = download(file, path, () => undefined);
    await expect(failed).rejects.toThrow("has other content than its repository lists");
    expect([path, `${path}.part`].map(existsSync)).toEqual([false, false]);
    hub.swapped = undefined;
    await download(file, path, () => undefined);
    writeFileSync(path, "spoilt");
    await download(file, path, () => undefined);
    expect(readFileSync(path).equals(large)).toBe(true);
  });

  test("knows GitHub's hashes", async () => {
    const publication: Publication = { site: "github", repository: "a/b", files: /1 b\.parquet$/ };
    const [file] = await listFiles(publication, FakeHub.hosts(address));
    const path = join(place, "rows.parquet");
    await download(file!, path, () => undefined);
    expect(readFileSync(path).equals(small)).toBe(true);
  });

  test("says what is not there, and leaves its folder to nobody", async () => {
    const wanted = { ...data, files: /nothing/ };
    await expect(listFiles(wanted, FakeHub.hosts(address))).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
    hub.close();
    await expect(listFiles(data, FakeHub.hosts(address))).rejects.toThrow("cannot be reached");
    await open({ "../filtered-0": small });
    await expect(listFiles(data, FakeHub.hosts(address))).rejects.toThrow("Expected a path within a/b");
    for (const host of ["http://example.org", "example.org", ""])
      await expect(listFiles(data, FakeHub.hosts(host))).rejects.toThrow("Expected an https");
  });

  test("reads every page of a list, and refuses one that is cut off", async () => {
    hub.pageSize = 2;
    const files = await listFiles({ ...data, files: /./ }, FakeHub.hosts(address));
    expect(files.map(({ path }) => path)).toEqual([
      "data/filtered-0.parquet",
      "data/filtered-1 b.parquet",
      "data/raw-0.parquet",
      "README.md",
    ]);
    hub.truncated = true;
    await expect(listFiles({ ...data, site: "github" }, FakeHub.hosts(address))).rejects.toMatchObject({
      code: "DOWNLOAD_FAILED",
      message: expect.stringContaining("lists only a part of its files"),
    });
  });

  test.each([
    ["<html>", "sent no JSON"],
    ["null", "sent no list of files"],
    ["{}", "sent no list of files"],
    ["[null]", "sent no list of files"],
    ['[{"type":"file","path":"filtered-0"}]', "sent no list of files"],
    ['{"tree":[{"type":"blob","path":7,"size":1,"sha":"0"}]}', "sent no list of files"],
  ])("refuses the list %s", async (listing, problem) => {
    hub.listing = listing;
    for (const site of ["hugging face data", "github"] as const)
      await expect(listFiles({ ...data, site }, FakeHub.hosts(address))).rejects.toMatchObject({
        code: "DOWNLOAD_FAILED",
        message: expect.stringContaining(problem),
      });
  });

  test("says why a file cannot be written, which is no broken connection", async () => {
    const path = join(place, "rows.parquet");
    mkdirSync(`${path}.part`, { recursive: true });
    await expect(download(await first(), path, () => undefined)).rejects.toMatchObject({ code: "EISDIR" });
  });
});

test("an endpoint that is empty is none", () => {
  process.env.HF_ENDPOINT = "";
  expect(publicHosts().huggingFace).toBe("https://huggingface.co");
});

describe("a model of Hugging Face", () => {
  const put = (...names: string[]) => {
    mkdirSync(join(place, "org/judge"), { recursive: true });
    for (const name of names) writeFileSync(join(place, "org/judge", name), "");
  };
  const found = async (model: string) => (await findModel(model, null)).modelPath;

  test("without a quant is the only one, whatever stands beside it", async () => {
    put("judge.gguf", "judge.head.gguf", "judge.meta.gguf", "judge.meta.head.gguf", "mmproj-f16.gguf");
    expect(await found("hf:org/judge")).toBe(join(place, "org/judge/judge.gguf"));
    put("judge.Q8_0.gguf");
    await expect(found("hf:org/judge")).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining("a quant of judge.Q8_0.gguf, judge.gguf behind a colon for model"),
    });
  });

  test("in parts is there when all of them are", async () => {
    put("judge-Q8_0-00001-of-00002.gguf", "judge-Q8_0-00002-of-00002.gguf.part");
    await expect(found("hf:org/judge")).rejects.toMatchObject({ code: "MODEL_NOT_FOUND" });
    put("judge-Q8_0-00002-of-00002.gguf");
    for (const model of ["hf:org/judge", "hf:org/judge:Q8_0"])
      expect(await found(model)).toBe(join(place, "org/judge/judge-Q8_0-00001-of-00002.gguf"));
  });

  test("is found once it was pulled, and never by itself", async () => {
    hub.close();
    await open({ "judge.Q4_K_M.gguf": small, "judge.Q8_0.gguf": large, "config.json": small });
    await expect(findModel("hf:org/judge:Q4_K_M", undefined)).rejects.toMatchObject({
      code: "MODEL_NOT_FOUND",
      message: expect.stringContaining("spct pull hf:org/judge:Q4_K_M"),
    });
    expect(hub.requests).toEqual([]);
    const which = await spct(["pull", "hf:org/judge", "--yes"]);
    expect(which).toMatchObject({ code: 2, errors: expect.stringContaining("judge.Q8_0.gguf") });
    expect((await spct(["pull", "hf:org/judge:q4_k_m", "--yes"])).code).toBe(0);
    const { modelPath } = await findModel("hf:org/judge:Q4_K_M", undefined);
    expect(modelPath).toBe(join(place, "org/judge/judge.Q4_K_M.gguf"));
    await expect(findModel("hf:org/judge:Q8_0", undefined)).rejects.toMatchObject({
      code: "MODEL_NOT_FOUND",
    });
  });
});
