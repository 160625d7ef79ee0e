// Judges two short lines with the judge that ships in models/, through the command line that users have.
import { spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const query = "Write one short line. Mention river (important). Avoid lamp. End with dog. Mention snow.";
const responses = ["the river ran to the sea and saw a dog", "one old lamp in the snow"];
const args = [
  "judge",
  "--query",
  query,
  ...responses.flatMap((text) => ["--response", text]),
  "--samples",
  "8",
];

console.log(`Query       ${query}`);
responses.forEach((text, index) => {
  console.log(`Response ${index + 1}  ${text}`);
});
console.log("\nEight judgements by models/default.gguf, half of each ordering:\n");
const { status } = spawnSync(process.execPath, [join(root, "bin", "spct.js"), ...args], { stdio: "inherit" });
if (status === 0) {
  console.log(
    "\nYour own texts: npx spct judge --help. What this judge knows and does not: models/README.md",
  );
}
process.exit(status ?? 1);
