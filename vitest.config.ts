import { defineConfig } from "vitest/config";

// `lib` needs nothing built; `addon` runs the compiled package (dist/ and the native addon).
export default defineConfig({
  test: {
    projects: [
      { test: { name: "lib", include: ["test/lib/**/*.test.ts", "test/*.test.ts"] } },
      {
        test: {
          name: "addon",
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
