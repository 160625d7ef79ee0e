import { isAbsolute } from "node:path";
import { SpctError } from "../errors.js";
import type { Hosts } from "./hosts.js";
import { request } from "./request.js";

/** A repository that others publish, and which of its files are meant. */
export interface Publication {
  site: "hugging face data" | "hugging face model" | "github";
  /** owner/name */
  repository: string;
  files: RegExp;
}

export interface RemoteFile {
  /** Within its repository. */
  path: string;
  url: string;
  bytes: number;
  /** Of the content, in hex; a `blob` is hashed as Git does. */
  digest: { algorithm: "sha256" | "blob"; hex: string };
}

/** Lists all files of a publication. Throws DOWNLOAD_FAILED, also for a list that is not whole, FILE_NOT_FOUND if there are none. */
export async function listFiles(publication: Publication, hosts: Hosts): Promise<RemoteFile[]> {
  const { site, repository, files } = publication;
  const all =
    site === "github" ? await listGitHub(repository, hosts) : await listHuggingFace(publication, hosts);
  const wanted = all.filter(({ path }) => files.test(path));
  for (const { path } of wanted)
    if (isAbsolute(path) || path.split(/[\\/]/).includes(".."))
      throw new SpctError("DOWNLOAD_FAILED", `Expected a path within ${repository} but received ${path}`);
  if (wanted.length > 0) return wanted;
  throw new SpctError("FILE_NOT_FOUND", `${placeOf(publication, hosts)} has no file like ${files.source}`);
}

/** For people, and to read the licence there. */
export function placeOf(
  { site, repository }: Publication,
  { huggingFace }: Pick<Hosts, "huggingFace">,
): string {
  if (site === "github") return `https://github.com/${repository}`;
  return `${huggingFace}/${site === "hugging face data" ? "datasets/" : ""}${repository}`;
}

interface HuggingFaceEntry {
  path: string;
  size: number;
  oid: string;
  lfs?: { oid: string };
}

/** Large files are known by their SHA-256, others by Git's hash. Long lists come in pages. */
async function listHuggingFace(publication: Publication, hosts: Hosts): Promise<RemoteFile[]> {
  const kind = publication.site === "hugging face data" ? "datasets" : "models";
  let url: string | undefined =
    `${hosts.huggingFace}/api/${kind}/${publication.repository}/tree/main?recursive=true`;
  const entries: HuggingFaceEntry[] = [];
  while (url !== undefined) {
    const answer = await request(url);
    entries.push(...entriesOf(await readJson(answer), "file", isHuggingFaceEntry, url));
    url = /<([^>]+)>;\s*rel="next"/.exec(answer.headers.get("link") ?? "")?.[1];
  }
  return entries.map(({ path, size, oid, lfs }) => ({
    path,
    url: `${placeOf(publication, hosts)}/resolve/main/${encodePath(path)}`,
    bytes: size,
    digest: lfs === undefined ? { algorithm: "blob", hex: oid } : { algorithm: "sha256", hex: lfs.oid },
  }));
}

interface GitHubEntry {
  path: string;
  size: number;
  sha: string;
}

async function listGitHub(repository: string, hosts: Hosts): Promise<RemoteFile[]> {
  const url = `${hosts.gitHub}/repos/${repository}/git/trees/HEAD?recursive=1`;
  const answer = await readJson(await request(url));
  const { tree, truncated } = isObject(answer) ? answer : {};
  if (truncated === true) throw unfit(url, "lists only a part of its files");
  return entriesOf(tree, "blob", isGitHubEntry, url).map(({ path, size, sha }) => ({
    path,
    url: `${hosts.gitHubFiles}/${repository}/HEAD/${encodePath(path)}`,
    bytes: size,
    digest: { algorithm: "blob", hex: sha },
  }));
}

async function readJson(answer: Response): Promise<unknown> {
  try {
    return await answer.json();
  } catch (error) {
    throw unfit(answer.url, "sent no JSON", error);
  }
}

/** Those of a list that are of this type; folders and links are others. */
function entriesOf<T>(
  list: unknown,
  type: string,
  isEntry: (value: unknown) => value is T,
  url: string,
): T[] {
  const entries: unknown[] | undefined = Array.isArray(list) ? list : undefined;
  const wanted = entries?.filter((one) => !isObject(one) || one.type === type);
  if (wanted?.every(isEntry)) return wanted;
  throw unfit(url, "sent no list of files");
}

function isHuggingFaceEntry(value: unknown): value is HuggingFaceEntry {
  if (!isObject(value)) return false;
  const { path, size, oid, lfs } = value;
  const known = lfs === undefined || (isObject(lfs) && typeof lfs.oid === "string");
  return typeof path === "string" && typeof size === "number" && typeof oid === "string" && known;
}

function isGitHubEntry(value: unknown): value is GitHubEntry {
  if (!isObject(value)) return false;
  const { path, size, sha } = value;
  return typeof path === "string" && typeof size === "number" && typeof sha === "string";
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function unfit(url: string, what: string, cause?: unknown): SpctError {
  return new SpctError("DOWNLOAD_FAILED", `${url} ${what}`, { cause });
}

function encodePath(path: string): string {
  return path.split("/").map(encodeURIComponent).join("/");
}
