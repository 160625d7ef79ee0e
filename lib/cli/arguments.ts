import { readFile } from "node:fs/promises";
import { InvalidArgumentError } from "commander";
import { SpctError } from "../errors.js";

/** Commander parsers; ranges are checked by the library, which knows them. */
export function toNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || Number.isNaN(value))
    throw new InvalidArgumentError(`Expected a number but received ${text}`);
  return value;
}

export function toInteger(text: string): number {
  const value = toNumber(text);
  if (!Number.isInteger(value)) throw new InvalidArgumentError(`Expected an integer but received ${text}`);
  return value;
}

export async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    const missing = error instanceof Error && "code" in error && error.code === "ENOENT";
    const what = missing ? `No such file: ${path}` : `${path} cannot be read: ${(error as Error).message}`;
    throw new SpctError("FILE_NOT_FOUND", what, { cause: error });
  }
}
