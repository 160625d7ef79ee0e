import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Hosts } from "../../../lib/pull/hosts.js";

/** What Hugging Face and GitHub answer, for the files of one repository, on this machine. */
export class FakeHub {
  readonly requests: { path: string; range: string | undefined }[] = [];
  /** Ends the next file after so many bytes. */
  breakAfter: number | undefined;
  /** Sent in place of the right content. */
  swapped: Buffer | undefined;
  /** Sent in place of a list of files. */
  listing: string | undefined;
  /** Files of a page of Hugging Face's list. */
  pageSize = Number.POSITIVE_INFINITY;
  /** Whether GitHub leaves something out of its list. */
  truncated = false;
  readonly #server: Server;

  constructor(private readonly files: Record<string, Buffer>) {
    this.#server = createServer((request, response) => this.#answer(request, response));
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  static hosts(address: string): Hosts {
    return { huggingFace: address, gitHub: address, gitHubFiles: `${address}/raw` };
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { pathname: path, searchParams } = new URL(request.url!, "http://hub");
    const { range } = request.headers;
    this.requests.push({ path, range });
    if (this.listing !== undefined && /\/tree\/main$|\/git\/trees\/HEAD$/.test(path))
      return void response.end(this.listing);
    if (path.endsWith("/tree/main")) {
      const start = Number(searchParams.get("cursor") ?? 0);
      const end = start + this.pageSize;
      const all = this.#huggingFace();
      const next = `<http://${request.headers.host}${path}?recursive=true&cursor=${end}>; rel="next"`;
      if (end < all.length) response.setHeader("link", next);
      return void response.end(JSON.stringify(all.slice(start, end)));
    }
    if (path.endsWith("/git/trees/HEAD")) {
      const { truncated } = this;
      return void response.end(JSON.stringify({ tree: this.#gitHub(), truncated }));
    }
    const name = decodeURIComponent(/\/(?:resolve\/main|HEAD)\/(.*)$/.exec(path)?.[1] ?? "");
    const content = this.files[name];
    if (content === undefined) return void response.writeHead(404).end();
    this.#send(this.swapped ?? content, range, response);
  }

  #send(content: Buffer, range: string | undefined, response: ServerResponse): void {
    const start = range === undefined ? 0 : Number(/\d+/.exec(range)![0]);
    const rest = content.subarray(start);
    response.writeHead(range === undefined ? 200 : 206, { "content-length": rest.length });
    const { breakAfter } = this;
    this.breakAfter = undefined;
    if (breakAfter === undefined) response.end(rest);
    else response.write(rest.subarray(0, breakAfter), () => setTimeout(() => response.destroy(), 50));
  }

  #huggingFace() {
    return [
      { type: "directory", path: "data", size: 0, oid: "0" },
      ...Object.entries(this.files).map(([path, content], index) => ({
        ...{ type: "file", path, size: content.length, oid: blobHash(content) },
        ...(index % 2 === 0 ? { lfs: { oid: createHash("sha256").update(content).digest("hex") } } : {}),
      })),
    ];
  }

  #gitHub() {
    return Object.entries(this.files).map(([path, content]) => ({
      ...{ type: "blob", path, size: content.length, sha: blobHash(content) },
    }));
  }
}

function blobHash(content: Buffer): string {
  return createHash("sha1").update(`blob ${content.length}\0`).update(content).digest("hex");
}
