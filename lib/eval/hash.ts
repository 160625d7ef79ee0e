import { createHash } from "node:crypto";
import { createReadStream, statSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";

/** SHA-256 of a file, or of the names and contents of all files of a folder; hexadecimal. */
export async function hashPath(path: string): Promise<string> {
  const hash = createHash("sha256");
  if (!statSync(path).isDirectory()) {
    await pipeline(createReadStream(path), hash);
    return hash.digest("hex");
  }
  for (const name of (await readdir(path, { recursive: true })).sort()) {
    if (statSync(join(path, name)).isDirectory()) continue;
    hash.update(`${name}\0${await hashPath(join(path, name))}\0`);
  }
  return hash.digest("hex");
}

/** SHA-256 of a text; hexadecimal. */
export function hashText(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
