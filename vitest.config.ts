import { defineConfig } from "vitest/config";

// `lib` needs nothing built; `addon` runs the compiled package (dist/ and the native addon).
const env = { SPCT_CALIBRATION: "off" }; // what somebody measured for their own judges

export default defineConfig({
  test: {
    projects: [
      { test: { name: "lib", env, include: ["test/lib/**/*.test.ts", "test/*.test.ts"] } },
      {
        test: {
          name: "addon",
          env,
          include: ["test/addon/**/*.test.ts"],
          pool: "forks",
          fileParallelism: false,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
