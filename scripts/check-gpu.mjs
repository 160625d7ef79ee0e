// Builds the CUDA kernels and checks each against its CPU twin on this machine's GPU: node scripts/check-gpu.mjs [--time]
// Without a GPU it says so and exits with 77.
import { spawnSync } from "node:child_process";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const run = (command, ...args) => {
  const { status } = spawnSync(command, args, { cwd: root, stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
};
const options = ["-DSPCT_TESTS=ON", "-DSPCT_CUDA_KERNELS=ON", "-DCMAKE_BUILD_TYPE=Release"];
run("cmake", "-S", ".", "-B", "build/gpu", ...options);
run("cmake", "--build", "build/gpu", "--target", "gpu_check", "--parallel");
run("build/gpu/test/native/gpu_check", ...process.argv.slice(2));
