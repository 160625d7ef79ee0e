// Builds the CUDA kernels and checks each against its CPU twin on this machine's GPU:
//   node scripts/check-gpu.mjs [--time] [--train]
// --train also builds llama.cpp's CUDA backend, which takes long, and trains small models on the GPU and on the CPU.
// Without a GPU it says so and exits with 77.
import { spawnSync } from "node:child_process";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const run = (command, ...args) => {
  const { status } = spawnSync(command, args, { cwd: root, stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
};
const args = process.argv.slice(2);
const train = args.includes("--train");
const programs = train ? ["gpu_check", "gpu_train_check"] : ["gpu_check"];
const folder = train ? "build/gpu-train" : "build/gpu";
const options = ["-DSPCT_TESTS=ON", `-DSPCT_CUDA${train ? "" : "_KERNELS"}=ON`, "-DCMAKE_BUILD_TYPE=Release"];
run("cmake", "-S", ".", "-B", folder, ...options);
run("cmake", "--build", folder, "--target", ...programs, "--parallel");
run(`${folder}/test/native/gpu_check`, ...args.filter((arg) => arg !== "--train"));
if (train) run(`${folder}/test/native/gpu_train_check`);
