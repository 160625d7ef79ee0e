import { createHash } from "node:crypto";
import { createReadStream, createWriteStream, existsSync, mkdirSync, statSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { pipeline } from "node:stream/promises";
import { SpctError } from "../errors.js";
import type { RemoteFile } from "./repository.js";
import { request } from "./request.js";

/**
 * Downloads a file, or what is missing of it: a part that an earlier call left behind is continued, a finished file with the
 * right hash is kept. The file appears under its name only when its hash is right. Throws DOWNLOAD_FAILED, or the system's error
 * for what cannot be written; what was received stays for the next call, unless its hash is wrong.
 */
export async function download(
  file: RemoteFile,
  path: string,
  onBytes: (received: number) => void,
): Promise<void> {
  if (existsSync(path) && (await hasDigest(file, path))) {
    onBytes(file.bytes);
    return;
  }
  mkdirSync(dirname(path), { recursive: true });
  const part = `${path}.part`;
  await receive(file, part, onBytes);
  if (!(await hasDigest(file, part))) {
    await rm(part);
    throw new SpctError(
      "DOWNLOAD_FAILED",
      `${file.url} has other content than its repository lists; try again`,
    );
  }
  await rename(part, path);
}

async function receive(file: RemoteFile, part: string, onBytes: (received: number) => void): Promise<void> {
  const size = statSync(part, { throwIfNoEntry: false })?.size ?? 0;
  if (size === file.bytes && size > 0) return;
  const known = size < file.bytes ? size : 0;
  const answer = await request(file.url, known > 0 ? { range: `bytes=${known}-` } : {});
  const resumed = answer.status === 206;
  let received = resumed ? known : 0;
  const chunks = async function* () {
    try {
      for await (const chunk of answer.body ?? []) {
        received += chunk.length;
        onBytes(received);
        yield chunk;
      }
    } catch (error) {
      const reason = `${file.url} broke off after ${received} of ${file.bytes} bytes; the same command continues`;
      throw new SpctError("DOWNLOAD_FAILED", reason, { cause: error });
    }
  };
  await pipeline(chunks, createWriteStream(part, { flags: resumed ? "a" : "w" }));
}

async function hasDigest({ digest, bytes }: RemoteFile, path: string): Promise<boolean> {
  if (statSync(path).size !== bytes) return false;
  const hash = createHash(digest.algorithm === "sha256" ? "sha256" : "sha1");
  if (digest.algorithm === "blob") hash.update(`blob ${bytes}\0`);
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return hash.digest("hex") === digest.hex;
}
