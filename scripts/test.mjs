// Runs every test of a checkout that is set up: the C++ tests, then vitest, then the formatting and lint rules.
// The last line counts them: "N passed, N failed, N skipped".
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const total = { passed: 0, failed: 0, skipped: 0 };
const run = (command, args) => {
  console.log(`\n> ${[command, ...args].join(" ").replace(process.execPath, "node")}`);
  return spawnSync(command, args, { cwd: root, stdio: "inherit", shell: process.platform === "win32" })
    .status;
};
const count = (passed, failed, skipped) => {
  total.passed += passed;
  total.failed += failed;
  total.skipped += skipped;
};

const ctestReport = join(root, "build", "ctest.xml");
run("ctest", [
  "--test-dir",
  "build/cmake/test/native",
  "--output-on-failure",
  "--no-tests=error",
  "--output-junit",
  ctestReport,
]);
const suite = readFileSync(ctestReport, "utf8").match(/<testsuite[^>]*>/)[0];
const attribute = (name) => Number(suite.match(new RegExp(`\\b${name}="(\\d+)"`))[1]);
const [tests, failures, skipped] = ["tests", "failures", "skipped"].map(attribute);
count(tests - failures - skipped, failures, skipped);

const vitestReport = join(root, "build", "vitest.json");
const vitest = run(process.execPath, [
  "node_modules/vitest/vitest.mjs",
  "run",
  "--reporter=default",
  "--reporter=json",
  `--outputFile.json=${vitestReport}`,
]);
const report = JSON.parse(readFileSync(vitestReport, "utf8"));
count(report.numPassedTests, report.numFailedTests, report.numPendingTests + report.numTodoTests);
if (vitest !== 0 && report.numFailedTests === 0) count(0, 1, 0); // an error outside the tests

for (const lint of [
  ["node_modules/@biomejs/biome/bin/biome", "ci"],
  ["node_modules/typescript/bin/tsc", "--noEmit", "-p", "tsconfig.test.json"],
  ["scripts/format-native.mjs", "--check"],
]) {
  const clean = run(process.execPath, lint) === 0;
  count(clean ? 1 : 0, clean ? 0 : 1, 0);
}

console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exit(total.failed === 0 ? 0 : 1);
