// Sets up a CUDA compiler from PyPI wheels where none is installed: node scripts/cuda-toolkit.mjs [--kernels] [folder]
// Needs Linux, python3 with pip, and no GPU. With --kernels cuBLAS (420 MB) is left out: enough for our own kernels,
// not for llama.cpp's CUDA backend.
import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";

const wheels = {
  "nvidia-cuda-nvcc==13.0.88": [
    "56fe502eb77625a12f25172caa3cdddb4e4c8ba2c8c17dba44b164761b380f03",
    "c7ff28f86a24effdc6c034fa15230c549a273e4771b10a7fec14996f8cf3307f",
  ],
  "nvidia-cuda-crt==13.0.88": [
    "2c8043c7c9e02492716426e9919fc78d2c5b3b2a7a768a88e952676b08aa55a4",
    "ee2ea2a97073e02ee62bb27841f437332be2c248e3eac013df07997ada39c003",
  ],
  "nvidia-cuda-runtime==13.0.96": [
    "7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548",
    "ef9bcbe90493a2b9d810e43d249adb3d02e98dd30200d86607d8d02687c43f55",
  ],
  "nvidia-cuda-cccl==13.0.85": [
    "e0da7ad981f3a8aff08241b5bfc1af868742a63e2762f53a5171c492ef242649",
    "6f0203e29fed809ee2b7fe9b1344df66ecab990c37d6a2e0e189b26d6c97ed7c",
  ],
  "nvidia-nvvm==13.0.88": [
    "c5f41ffeb6466944a026dfa5317d7d85355c119bbec279205d22f1869d1054e0",
    "c4376a291d72d22a315d9d2f69bdae8f8cd83a627f75bad395cee49a0fe65dc1",
  ],
};
const cublas = {
  "nvidia-cublas==13.0.2.14": [
    "0cf238ffdbe46c00cb9aa98e7bca745c223a5ca5a53e686ac8b3e5a08fe80d6c",
    "17165c296de689662b96e0ef4f21dfbff3092ff00d0e3e59470f5acb08c0f87d",
  ],
};

const options = process.argv.slice(2);
const kernelsOnly = options.includes("--kernels");
const unknown = options.find((option) => option.startsWith("-") && option !== "--kernels");
if (unknown) stop(`Expected --kernels or a folder but received ${unknown}`);
const target = resolve(options.find((option) => !option.startsWith("-")) ?? ".cache/cuda");

function stop(message) {
  console.error(message);
  process.exit(1);
}

function works(command, args) {
  try {
    execFileSync(command, args, { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

// The names the linker looks for: libx.so for libx.so.13, and lib64 for lib.
function linkLibraries(toolkit) {
  symlinkSync("lib", join(toolkit, "lib64"));
  for (const name of readdirSync(join(toolkit, "lib"))) {
    const plain = name.replace(/\.so\..*$/, ".so");
    if (plain !== name) symlinkSync(name, join(toolkit, "lib", plain));
  }
}

function install(packages, into) {
  const requirements = join(into, "requirements.txt");
  const lines = Object.entries(packages).map(
    ([name, hashes]) => `${name} ${hashes.map((hash) => `--hash=sha256:${hash}`).join(" ")}`,
  );
  writeFileSync(requirements, `${lines.join("\n")}\n`);
  const args = [
    "-m",
    "pip",
    "install",
    "--quiet",
    "--disable-pip-version-check",
    "--no-deps",
    "--only-binary=:all:",
  ];
  execFileSync(
    "python3",
    [...args, "--require-hashes", "--target", join(into, "wheels"), "-r", requirements],
    {
      stdio: ["ignore", "inherit", "inherit"],
      env: { ...process.env, PIP_ROOT_USER_ACTION: "ignore" },
    },
  );
}

const hasCompiler = existsSync(join(target, "bin", "nvcc"));
if (existsSync(join(target, "lib", "libcublas.so")) || (kernelsOnly && hasCompiler)) process.exit(0);
if (existsSync(target) && !hasCompiler && readdirSync(target).length > 0) {
  stop(`Expected a new or empty folder for the CUDA compiler but received ${target}`);
}
const advice = "Install the CUDA toolkit, 12.4 or newer.";
if (process.platform !== "linux" || !["x64", "arm64"].includes(process.arch)) {
  const machine = `${process.platform} ${process.arch}`;
  stop(`A CUDA compiler can be fetched for Linux on x64 and arm64, not for ${machine}. ${advice}`);
}
if (!works("python3", ["-m", "pip", "--version"])) {
  stop(`Fetching a CUDA compiler needs python3 with pip. Install that, or: ${advice}`);
}

mkdirSync(dirname(target), { recursive: true });
const work = mkdtempSync(join(dirname(target), "cuda-"));
try {
  console.log(`fetching the CUDA 13.0 compiler (${kernelsOnly ? "105 MB" : "526 MB"}) into ${target}`);
  install(kernelsOnly ? wheels : { ...wheels, ...cublas }, work);
  const toolkit = join(work, "wheels", "nvidia", "cu13");
  linkLibraries(toolkit);
  execFileSync(join(toolkit, "bin", "nvcc"), ["--version"], { stdio: ["ignore", "ignore", "inherit"] });
  rmSync(target, { recursive: true, force: true });
  renameSync(toolkit, target);
} catch (error) {
  console.error(`The CUDA compiler could not be fetched: ${error.message}`);
  process.exitCode = 1;
} finally {
  rmSync(work, { recursive: true, force: true });
}
