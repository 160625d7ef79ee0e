// Builds and fetches what spct is compared with, where it is missing or of another version: llama-server and
// llama-batched-bench on the very library that the addon is linked with, as this checkout is configured (build/cmake), and
// node-llama-cpp with its prebuilt CPU binary (.cache/peers).
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const peers = join(root, ".cache", "peers");
const nodeLlama = "3.22.1"; // carries the llama.cpp release of scripts/fetch-llama.mjs

const build = join(root, "build", "cmake");
export const llamaServer = join(build, "bin", "llama-server");
export const batchedBench = join(build, "bin", "llama-batched-bench");
const nodeFolder = join(peers, "node");

/** The address of node-llama-cpp's module. */
export function nodeLlamaModule() {
  return createRequire(join(nodeFolder, "package.json")).resolve("node-llama-cpp");
}

export function buildPeers() {
  buildLlama();
  if (installedVersion() !== nodeLlama) installNodeLlama();
}

function step(title, command, args, options = {}) {
  console.error(`bench: ${title}`);
  const quiet = { stdio: ["ignore", 2, 2], ...options };
  if (process.platform === "win32") execFileSync(command, args, { ...quiet, shell: true });
  else execFileSync("nice", ["-n", "15", command, ...args], quiet);
}

function buildLlama() {
  step("configuring llama.cpp's programs", "cmake", [build, "-DSPCT_PEERS=ON"]);
  const targets = ["--target", "llama-server", "llama-batched-bench"];
  const jobs = ["--parallel", String(availableParallelism())];
  step("building llama.cpp's programs (minutes the first time)", "cmake", [
    "--build",
    build,
    ...targets,
    ...jobs,
  ]);
}

/** Of the binary, which is installed after the module. */
function installedVersion() {
  const file = join(nodeFolder, "node_modules", "@node-llama-cpp", binaryPackage(), "package.json");
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")).version : undefined;
}

function installNodeLlama() {
  mkdirSync(nodeFolder, { recursive: true });
  writeFileSync(join(nodeFolder, "package.json"), '{ "private": true }\n');
  const packages = [`node-llama-cpp@${nodeLlama}`, `@node-llama-cpp/${binaryPackage()}@${nodeLlama}`];
  // Its optional packages are the binaries of every platform; one is enough.
  const flags = ["--ignore-scripts", "--omit=optional", "--no-audit", "--no-fund"];
  for (const name of packages)
    step(`installing ${name}`, "npm", ["install", ...flags, name], { cwd: nodeFolder });
}

function binaryPackage() {
  const { platform, arch } = process;
  if (platform === "darwin") return arch === "arm64" ? "mac-arm64-metal" : "mac-x64";
  return `${platform === "win32" ? "win" : "linux"}-${arch}`;
}
