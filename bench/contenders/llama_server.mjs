// llama-server: one request with n_cmpl samples for each ordering, or a request for each sample.
import { spawn } from "node:child_process";
import { Agent, request } from "node:http";
import { createServer } from "node:net";
import { llamaServer } from "../peers/build.mjs";

export class LlamaServer {
  #process;
  #port;
  #agent = new Agent({ keepAlive: true, maxSockets: 256 });

  /** contextTokens: KV cells of all slots together. */
  async start({ model, contextTokens, parallel, threads }) {
    this.#port = await freePort();
    const cells = ["-c", contextTokens, "-np", parallel, "-kvu", "--cache-ram", 0];
    const engine = ["-m", model, "-t", threads, "-tb", threads, "--no-warmup", "-b", 2048, "-ub", 512];
    const args = [...engine, ...cells, "--host", "127.0.0.1", "--port", this.#port, "--no-webui"].map(String);
    this.#process = spawn(llamaServer, args, { stdio: "ignore" });
    const died = new Promise((_, reject) => {
      this.#process.once("error", reject);
      this.#process.once("exit", (code) => reject(new Error(`llama-server ended with ${code}`)));
    });
    died.catch(() => undefined);
    for (;;) {
      const ready = await Promise.race([died, this.#healthy()]);
      if (ready) return;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }

  /** prompts: tokens of each ordering. Every sample is drawn to its whole budget. */
  async judge({ prompts, sampling, k, maxTokens, seed, form, keepCache = false }) {
    const { temperature, topK } = sampling;
    const body = {
      n_predict: maxTokens,
      ignore_eos: true,
      temperature,
      top_k: topK,
      samplers: topK > 0 ? ["top_k", "temperature"] : ["temperature"],
      cache_prompt: keepCache,
      response_fields: ["tokens_predicted"],
    };
    const shares = prompts.map((_, index) => Math.ceil((k - index) / prompts.length));
    const plain = prompts.map((prompt) => [...prompt]);
    const requests = plain.flatMap((prompt, index) =>
      form === "n_cmpl"
        ? [{ ...body, prompt, n_cmpl: shares[index], seed: seed + index }]
        : Array.from({ length: shares[index] }, (_, sample) => ({
            ...body,
            prompt,
            seed: seed + 1000 * index + sample,
          })),
    );
    const start = performance.now();
    const answers = await Promise.all(requests.map((each) => this.#post("/completion", each)));
    const seconds = (performance.now() - start) / 1000;
    const tokens = answers.flat().reduce((sum, { tokens_predicted }) => sum + tokens_predicted, 0);
    return { seconds, tokens };
  }

  stop() {
    this.#agent.destroy();
    this.#process?.removeAllListeners("exit");
    this.#process?.kill("SIGKILL");
  }

  #healthy() {
    return this.#call("GET", "/health").then(
      ({ status }) => status === 200,
      () => false,
    );
  }

  async #post(path, body) {
    const { status, text } = await this.#call("POST", path, JSON.stringify(body));
    if (status !== 200) throw new Error(`llama-server answered ${status}: ${text.slice(0, 300)}`);
    return JSON.parse(text);
  }

  // fetch() gives up after five minutes without an answer; a judgement on a slow machine takes longer.
  #call(method, path, body) {
    return new Promise((resolve, reject) => {
      const headers = { "content-type": "application/json" };
      const where = { host: "127.0.0.1", port: this.#port, agent: this.#agent };
      const call = request({ ...where, method, path, headers }, (response) => {
        const chunks = [];
        response.on("data", (chunk) => chunks.push(chunk));
        response.on("end", () =>
          resolve({ status: response.statusCode, text: Buffer.concat(chunks).toString() }),
        );
        response.on("error", reject);
      });
      call.on("error", reject);
      call.end(body);
    });
  }
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
