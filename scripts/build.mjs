// Builds the native part (CMake in build/cmake, the addon in build/Release): node scripts/build.mjs [--cuda] [--tests] [--bench] [-D<cmake option>...]
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const args = process.argv.slice(2);
const known = new Set(["--cuda", "--tests", "--bench"]);
const unknown = args.find((arg) => !known.has(arg) && !arg.startsWith("-D"));
if (unknown) {
  console.error(`Expected --cuda, --tests, --bench or -D<option> but received ${unknown}`);
  process.exit(2);
}

const options = {
  // What a checkout was built with stays until -DSPCT_CUDA=OFF.
  ...(args.includes("--cuda") && { SPCT_CUDA: "ON" }),
  ...(args.includes("--tests") && { SPCT_TESTS: "ON" }),
  ...(args.includes("--bench") && { SPCT_BENCH: "ON" }),
};
if (process.env.LLAMA_CPP_DIR) options.LLAMA_CPP_DIR = process.env.LLAMA_CPP_DIR;

let cmakeJs;
try {
  cmakeJs = createRequire(import.meta.url).resolve("cmake-js/bin/cmake-js");
} catch {
  console.error("cmake-js is missing: run npm ci first");
  process.exit(1);
}
const cmake = (command, ...more) =>
  execFileSync(process.execPath, [cmakeJs, command, "--out", "build/cmake", "--log-level", "warn", ...more], {
    cwd: root,
    stdio: "inherit",
  });
try {
  // cmake-js configures only an empty folder by itself; an incremental build may have other options.
  cmake(
    "configure",
    ...Object.entries(options).map(([name, value]) => `--CD${name}=${value}`),
    ...args.filter((arg) => arg.startsWith("-D")).map((arg) => `--C${arg.slice(1)}`),
  );
  const everything = args.includes("--tests") || args.includes("--bench");
  cmake(
    "build",
    "--parallel",
    String(availableParallelism()),
    ...(everything ? [] : ["--target", "spct_addon"]),
  );
  writeFileSync(join(root, "build", ".built"), "");
  for (const part of ["tests", "bench"]) {
    if (args.includes(`--${part}`)) writeFileSync(join(root, "build", `.built-${part}`), "");
  }
} catch {
  console.error(
    "the native build failed: see the messages above; it needs a C++17 compiler and CMake >= 3.20",
  );
  process.exit(1);
}
