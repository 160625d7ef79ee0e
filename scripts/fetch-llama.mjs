// Unpacks the pinned llama.cpp release into a folder: node scripts/fetch-llama.mjs [folder]
// The release travels as a git bundle inside an npm package; only that tarball is fetched, its hash is checked,
// and the package itself is never installed.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

const carrier = "node-llama-cpp@3.22.1";
const sha512 = "bltIipuWmc123H7tMIgDGKSsSrhmhlQYeVUC48XTjVW7XGJJiJJyCdlTMzQ/LiWoPkGDpcL4FviDpgw7qfTiDw==";
const commit = "de3ff815ea7d559ee917f063901b8986f038abc6";

const target = resolve(process.argv[2] ?? ".cache/llama.cpp");
if (existsSync(join(target, "CMakeLists.txt"))) process.exit(0);

mkdirSync(dirname(target), { recursive: true });
const work = mkdtempSync(join(dirname(target), "fetch-"));
const run = (command, args) =>
  execFileSync(command, args, {
    cwd: work,
    stdio: ["ignore", "pipe", "inherit"],
    shell: process.platform === "win32",
  });
try {
  console.log(`fetching llama.cpp v0.5.0 (${commit.slice(0, 7)}, 36 MB, inside ${carrier})`);
  const [{ filename }] = JSON.parse(run("npm", ["pack", carrier, "--json", "--loglevel=error"]).toString());
  const tarball = join(work, filename);
  const found = createHash("sha512").update(readFileSync(tarball)).digest("base64");
  if (found !== sha512) throw new Error(`${carrier}: expected SHA-512 ${sha512} but received ${found}`);
  run("tar", ["xzf", filename, "package/llama/gitRelease.bundle"]);
  run("git", [
    "-c",
    "advice.detachedHead=false",
    "clone",
    "--quiet",
    "package/llama/gitRelease.bundle",
    "source",
  ]);
  const head = run("git", ["-C", "source", "rev-parse", "HEAD"]).toString().trim();
  if (head !== commit) throw new Error(`llama.cpp: expected commit ${commit} but received ${head}`);
  renameSync(join(work, "source"), target);
} finally {
  rmSync(work, { recursive: true, force: true });
}
