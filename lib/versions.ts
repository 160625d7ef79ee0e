import { readFileSync } from "node:fs";

/** What a result was made with. */
export function versions(): { spct: string; node: string; platform: string } {
  const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  return { spct: version, node: process.versions.node, platform: `${process.platform}-${process.arch}` };
}
