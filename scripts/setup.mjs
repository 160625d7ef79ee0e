// Brings a checkout to the state in which it runs, doing only what is missing: node scripts/setup.mjs [--tests] [--bench]
// dependencies (npm ci), the native addon (build/), the compiled TypeScript (dist/).
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const tests = process.argv.includes("--tests");
const bench = process.argv.includes("--bench");

const modified = (path) => (existsSync(join(root, path)) ? statSync(join(root, path)).mtimeMs : 0);
const newest = (path) => {
  const full = join(root, path);
  if (!statSync(full).isDirectory()) return statSync(full).mtimeMs;
  return Math.max(0, ...readdirSync(full).map((name) => newest(join(path, name))));
};
const step = (title, command, args) => {
  console.error(`setup: ${title}`);
  try {
    execFileSync(command, args, { cwd: root, stdio: ["ignore", 2, 2], shell: process.platform === "win32" });
  } catch (error) {
    console.error(`setup: ${command} ${args.join(" ")} failed (${error.status ?? error.code})`);
    process.exit(1);
  }
};
const version = (command) => {
  try {
    return execFileSync(command, ["--version"])
      .toString()
      .match(/\d+\.\d+/)[0];
  } catch {
    return undefined;
  }
};
const below = (found, major, minor) => {
  const [a, b] = found.split(".").map(Number);
  return a < major || (a === major && b < minor);
};

if (below(process.versions.node, 20, 17)) {
  console.error(`setup: Expected Node >= 20.17 but received ${process.versions.node}`);
  process.exit(1);
}
if (modified("package-lock.json") > modified("node_modules/.package-lock.json")) {
  step("installing dependencies", "npm", ["ci", "--no-audit", "--no-fund"]);
}

const parts = [...(tests ? ["tests"] : []), ...(bench ? ["bench"] : [])];
const nativeSources = ["CMakeLists.txt", "cmake", "native", "cuda", ...(tests ? ["test/native"] : [])];
if (bench) nativeSources.push("bench/native");
const marks = parts.length === 0 ? ["build/.built"] : parts.map((part) => `build/.built-${part}`); // by scripts/build.mjs
const built = Math.min(...marks.map(modified));
if (Math.max(...nativeSources.map(newest)) > built) {
  const cmake = version("cmake");
  if (!cmake || below(cmake, 3, 20)) {
    console.error(`setup: the native build needs CMake >= 3.20, found ${cmake ?? "none"}`);
    process.exit(1);
  }
  step("building the addon and llama.cpp (minutes the first time)", process.execPath, [
    "scripts/build.mjs",
    ...parts.map((part) => `--${part}`),
  ]);
}
if (Math.max(newest("lib"), modified("tsconfig.json")) > modified("dist/index.js")) {
  step("compiling TypeScript", process.execPath, ["node_modules/typescript/bin/tsc", "-p", "tsconfig.json"]);
}
