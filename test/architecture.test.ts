// The walls between the parts: who may include or import what.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, expect, test } from "vitest";

const root = resolve(import.meta.dirname, "..");
const files = (folder: string): string[] =>
  readdirSync(join(root, folder)).flatMap((name) => {
    const path = join(folder, name);
    return statSync(join(root, path)).isDirectory() ? files(path) : [path];
  });
const matches = (path: string, pattern: RegExp) =>
  [...readFileSync(join(root, path), "utf8").matchAll(pattern)].map((match) => match[1] as string);

const sources = [...files("native"), ...files("cuda")].filter((path) => /\.(h|cpp|cu|cuh)$/.test(path));
const includes = sources.map((path) => ({ path, names: matches(path, /^#include [<"]([^>"]+)[>"]/gm) }));
const users = (header: RegExp) =>
  includes.filter(({ names }) => names.some((name) => header.test(name))).map(({ path }) => path);

describe("native", () => {
  test("only the binding knows Node", () => {
    expect(
      users(/^(napi|node_api|js_native_api)\.h$/).filter((path) => !path.startsWith("native/binding/")),
    ).toEqual([]);
  });

  test("only the model, the trainer and the GEMM know llama.cpp", () => {
    const allowed = /^native\/(accel|model|train)\//;
    expect(users(/^(llama|ggml|gguf)[\w-]*\.h$/).filter((path) => !allowed.test(path))).toEqual([]);
  });

  test("only cuda/ knows CUDA", () => {
    expect(
      users(/^(cuda(?!\/)|cub\/|cooperative_groups)/).filter((path) => !path.startsWith("cuda/")),
    ).toEqual([]);
  });

  test("only accel/ knows oneDNN", () => {
    expect(users(/dnnl/).filter((path) => !path.startsWith("native/accel/"))).toEqual([]);
  });

  test("scoring stands alone, and the engine on scoring and the model's interface", () => {
    const ours = /^(accel|binding|engine|model|scoring|train)\//;
    const reached = (folder: string) =>
      new Set(
        includes
          .filter(({ path }) => path.startsWith(`native/${folder}/`))
          .flatMap(({ names }) => names)
          .filter((name) => ours.test(name) && !name.startsWith(`${folder}/`)),
      );
    expect([...reached("scoring")]).toEqual([]);
    expect(
      [...reached("engine")].filter((name) => name !== "model/model.h" && !name.startsWith("scoring/")),
    ).toEqual([]);
    expect([...reached("accel")]).toEqual([]);
    expect([...reached("model")].filter((name) => !/^(scoring|accel)\//.test(name))).toEqual([]);
  });
});

describe("lib", () => {
  const imports = files("lib")
    .filter((path) => path.endsWith(".ts"))
    .map((path) => ({
      path,
      targets: matches(path, /^(?:import|export) [^"]*from "([^"]+)"/gm).map((target) =>
        target.startsWith(".") ? relative(root, resolve(root, dirname(path), target)) : target,
      ),
    }));

  test.each(["prompt", "extract", "vote"])("%s is pure", (folder) => {
    const targets = imports
      .filter(({ path }) => path.startsWith(`lib/${folder}/`))
      .flatMap((file) => file.targets)
      .filter((target) => /^node:(?!crypto)/.test(target) || /^lib\/(engine|cli|native|judge)/.test(target));
    expect(targets).toEqual([]);
  });

  test("nothing below the command line imports it", () => {
    const wrong = imports.filter(
      ({ path, targets }) =>
        !path.startsWith("lib/cli/") && targets.some((target) => target.startsWith("lib/cli/")),
    );
    expect(wrong.map(({ path }) => path)).toEqual([]);
  });
});
