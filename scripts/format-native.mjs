// Formats the C++ and CUDA sources: node scripts/format-native.mjs [--check]
import { execFileSync, spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const files = execFileSync("git", ["ls-files", "*.cpp", "*.h", "*.cu", "*.cuh"], { cwd: root })
  .toString()
  .split("\n")
  .filter(Boolean);
const mode = process.argv.includes("--check") ? ["--dry-run", "-Werror"] : ["-i"];
const clangFormat = createRequire(import.meta.url).resolve("clang-format/index.js");
process.exit(
  spawnSync(process.execPath, [clangFormat, ...mode, ...files], { cwd: root, stdio: "inherit" }).status,
);
