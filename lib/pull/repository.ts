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

/** Lists the files of a publication. Throws DOWNLOAD_FAILED, FILE_NOT_FOUND if there are none. */
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
  type: string;
  path: string;
  size: number;
  oid: string;
  lfs?: { oid: string };
}

/** Large files are known by their SHA-256, others by Git's hash. */
async function listHuggingFace(publication: Publication, hosts: Hosts): Promise<RemoteFile[]> {
  const kind = publication.site === "hugging face data" ? "datasets" : "models";
  const url = `${hosts.huggingFace}/api/${kind}/${publication.repository}/tree/main?recursive=true`;
  const entries = (await (await request(url)).json()) as HuggingFaceEntry[];
  return entries
    .filter(({ type }) => type === "file")
    .map(({ path, size, oid, lfs }) => ({
      path,
      url: `${placeOf(publication, hosts)}/resolve/main/${encodePath(path)}`,
      bytes: size,
      digest: lfs === undefined ? { algorithm: "blob", hex: oid } : { algorithm: "sha256", hex: lfs.oid },
    }));
}

async function listGitHub(repository: string, hosts: Hosts): Promise<RemoteFile[]> {
  const answer = await request(`${hosts.gitHub}/repos/${repository}/git/trees/HEAD?recursive=1`);
  const { tree } = (await answer.json()) as {
    tree: { type: string; path: string; size: number; sha: string }[];
  };
  return tree
    .filter(({ type }) => type === "blob")
    .map(({ path, size, sha }) => ({
      path,
      url: `${hosts.gitHubFiles}/${repository}/HEAD/${encodePath(path)}`,
      bytes: size,
      digest: { algorithm: "blob", hex: sha },
    }));
}

function encodePath(path: string): string {
  return path.split("/").map(encodeURIComponent).join("/");
}
