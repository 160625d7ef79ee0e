// A server in this process plays the part of vLLM, SGLang or llama-server.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { RemoteEngine } from "../../../lib/engine/remote.js";
import { readModels } from "../../../lib/engine/remote_answer.js";
import type { RemoteEngineOptions } from "../../../lib/engine/remote_options.js";
import { cutAtStop } from "../../../lib/engine/remote_stop.js";
import { stopPattern } from "../../../lib/extract/stop.js";
import { Grm } from "../../../lib/judge.js";

const apiKey = "secret-key-123";
const pair = { query: "Which is larger?", responses: ["3", "7"] };

interface Asked {
  seed: number;
  messages: { role: string; content: string }[];
  [name: string]: unknown;
}

type Reply = { status?: number; headers?: Record<string, string>; body: unknown } | "reset" | "never";

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

/** Answers the n-th chat request by `reply`. */
async function serve(
  reply: (asked: Asked, count: number) => Reply | Promise<Reply>,
  models: unknown[] = [{ id: "grm" }],
) {
  const seen = { asked: [] as Asked[], keys: [] as (string | undefined)[], running: 0, mostRunning: 0 };
  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    seen.keys.push(request.headers.authorization);
    if (request.url === "/v1/models") return response.end(JSON.stringify({ data: models }));
    let text = "";
    for await (const chunk of request) text += chunk;
    const asked = JSON.parse(text) as Asked;
    seen.asked.push(asked);
    seen.mostRunning = Math.max(seen.mostRunning, ++seen.running);
    const given = await reply(asked, seen.asked.length);
    seen.running--;
    if (given === "never") return;
    if (given === "reset") return request.socket.destroy();
    response.writeHead(given.status ?? 200, given.headers);
    return response.end(typeof given.body === "string" ? given.body : JSON.stringify(given.body));
  };
  const server = createServer((request, response) => void handle(request, response));
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, seen };
}

function completion(content: string, more: object = {}) {
  const usage = { prompt_tokens: 50, completion_tokens: 9 };
  return { body: { choices: [{ message: { content }, finish_reason: "stop", ...more }], usage } };
}

/** Gives each response its own number as its score, in the order shown. */
function ownNumbers({ messages }: Asked): string {
  const shown = [...messages[0]!.content.matchAll(/^Response \d+:\n(\d+)$/gm)].map(([, score]) => score);
  return `Scores: \\boxed{${shown.join(", ")}}`;
}

async function judgeAt(url: string, more: Partial<RemoteEngineOptions> = {}) {
  const remote = { url, model: "grm", apiKey, retrySeconds: 0.01, ...more };
  return Grm.load({ remote, template: "compact" });
}

describe("a remote judge", () => {
  test("gives up what is not needed any more, and cannot say what that had cost", async () => {
    const needed = ({ seed }: Asked) => seed < 4 || seed >= 100;
    const { url, seen } = await serve((asked) => (needed(asked) ? completion(ownNumbers(asked)) : "never"));
    const grm = await judgeAt(url, { parallel: 16 });
    const verdict = await grm.judge(pair, { k: 16, earlyStop: { flipRisk: 0.002 } });
    expect(verdict).toMatchObject({ best: 1, drawn: 4, k: 16, usage: { abandonedTokens: null } });
    const few = await grm.judge(pair, { k: 16, seed: 100, earlyStop: { flipRisk: 0.002, atOnce: 4 } });
    expect(few).toMatchObject({ drawn: 4, usage: { abandonedTokens: 0, generatedTokens: 36 } });
    expect(seen.asked.map(({ seed }) => seed).filter((seed) => seed >= 100)).toHaveLength(4);
  });

  test("draws k samples with their own seeds, and votes", async () => {
    const { url, seen } = await serve((asked) => completion(`${ownNumbers(asked)} and so on`));
    const grm = await judgeAt(`${url}/v1/`);
    const verdict = await grm.judge(pair, { k: 4, seed: 10, temperature: 0.7 });
    expect(verdict).toMatchObject({ best: 1, scores: [12, 28], valid: 4, kMeta: null });
    expect(verdict.usage).toMatchObject({
      promptTokens: 200,
      promptTokensComputed: null,
      generatedTokens: 36,
    });
    expect(verdict.samples.map(({ order }) => order[0])).toEqual([0, 1, 0, 1]);
    expect(verdict.samples[1]).toMatchObject({ text: "Scores: \\boxed{7, 3}", finish: "stop", seed: 11 });
    expect(seen.asked.map(({ seed }) => seed).sort()).toEqual([10, 11, 12, 13]);
    expect(seen.asked[0]).toMatchObject({ model: "grm", temperature: 0.7, top_p: 1, top_k: -1, min_p: 0 });
    expect(new Set(seen.keys)).toEqual(new Set([`Bearer ${apiKey}`]));
    expect(JSON.stringify(grm.info)).not.toContain(apiKey);
  });

  test("asks no more at once than it may", async () => {
    const { url, seen } = await serve(async (asked) => {
      await new Promise((resolve) => setTimeout(resolve, 10));
      return completion(ownNumbers(asked));
    });
    const grm = await judgeAt(url, { parallel: 3 });
    await Promise.all([grm.judge(pair, { k: 6 }), grm.judge(pair, { k: 6, seed: 9 })]);
    expect(seen.asked).toHaveLength(12);
    expect(seen.mostRunning).toBe(3);
  });

  test.each<[string, Reply]>([
    ["429", { status: 429, headers: { "retry-after": "0" }, body: "slow down" }],
    ["503", { status: 503, body: "starting" }],
    ["a reset connection", "reset"],
    ["no answer in time", "never"],
  ])("tries again after %s", async (_, failure) => {
    const { url, seen } = await serve((asked, count) =>
      count <= 2 ? failure : completion(ownNumbers(asked)),
    );
    const grm = await judgeAt(url, { timeoutSeconds: 0.3 });
    expect(await grm.judge(pair, { k: 1 })).toMatchObject({ valid: 1 });
    expect(seen.asked).toHaveLength(3);
  });

  test.each<[Reply, string, string, number]>([
    [
      { status: 500, body: `broken ${apiKey}` },
      "REMOTE_FAILURE",
      "status 500: broken *** (tried 3 times)",
      3,
    ],
    [{ status: 401, body: "who are you?" }, "REMOTE_FAILURE", "status 401: who are you?", 1],
    [
      { status: 400, body: "maximum context length is 8" },
      "CONTEXT_OVERFLOW",
      "maximum context length is 8",
      1,
    ],
    [{ body: "<html>" }, "REMOTE_FAILURE", "expected JSON but received <html>", 1],
    [{ body: { choices: [] } }, "REMOTE_FAILURE", "Expected a chat completion with a choice but received", 1],
    ["reset", "REMOTE_FAILURE", "fetch failed", 3],
  ])("%j is %s: %s", async (reply, code, message, tries) => {
    const { url, seen } = await serve(() => reply);
    const grm = await judgeAt(url, { retries: 2 });
    const failure = await grm.judge(pair, { k: 1 }).catch((error) => error);
    expect(failure).toMatchObject({ code, message: expect.stringContaining(message) });
    expect(`${failure.message} ${failure.stack}`).not.toContain(apiKey);
    expect(seen.asked).toHaveLength(tries);
  });

  test("one sample's failure ends the others of its query", async () => {
    const { url } = await serve((_, count) => (count === 2 ? { status: 404, body: "gone" } : "never"));
    const grm = await judgeAt(url);
    await expect(grm.judge(pair, { k: 8 })).rejects.toMatchObject({ code: "REMOTE_FAILURE" });
  });

  test("is cancelled and closed while it waits", async () => {
    const { url } = await serve(() => "never");
    const grm = await judgeAt(url);
    const controller = new AbortController();
    const judging = grm.judge(pair, { k: 2, signal: controller.signal });
    setTimeout(() => controller.abort(), 20);
    await expect(judging).rejects.toMatchObject({ code: "CANCELLED" });
    const other = grm.judge(pair, { k: 2 });
    setTimeout(() => void grm.close(), 20);
    await expect(other).rejects.toMatchObject({ code: "CLOSED" });
    await expect(grm.judge(pair, { k: 1 })).rejects.toMatchObject({ code: "CLOSED" });
  });

  test("hands over log-probabilities up to the stop", async () => {
    const content = ["\\boxed{", "3", ", ", "7", "}", " done"].map((token, index) => ({
      token,
      logprob: -1 - index,
    }));
    const { url, seen } = await serve(() => completion("\\boxed{3, 7} done", { logprobs: { content } }));
    const grm = await judgeAt(url);
    const { samples } = await grm.judge(pair, { k: 1, logprobs: true });
    expect(seen.asked[0]).toMatchObject({ logprobs: true });
    expect([...samples[0]!.logprobs!]).toEqual([-1, -2, -3, -4, -5]);
    expect(samples[0]).toMatchObject({ tokens: 5, text: "\\boxed{3, 7}" });
  });

  test("a budget that ends inside of a thought is a sample without scores", async () => {
    const answer = { message: { content: null, reasoning_content: "hmm" }, finish_reason: "length" };
    const { url } = await serve(() => ({ body: { choices: [answer] } }));
    const grm = await judgeAt(url);
    const { samples, valid } = await grm.judge(pair, { k: 1 });
    expect({ valid, sample: samples[0] }).toMatchObject({
      valid: 0,
      sample: { reason: "no-scores", finish: "length" },
    });
  });
});

describe("loading", () => {
  test("knows the context, and names the models that there are", async () => {
    const { url } = await serve(() => "never", [{ id: "grm", max_model_len: 8192 }, { id: "other" }]);
    expect((await judgeAt(url)).info).toMatchObject({ model: "grm", contextTokens: 8192, backend: "remote" });
    await expect(judgeAt(url, { model: "nothing" })).rejects.toMatchObject({
      code: "REMOTE_FAILURE",
      message: expect.stringContaining("(grm, other) but received nothing"),
    });
    expect(readModels({ data: [{ id: "a", meta: { n_ctx_train: 4096 } }] })[0]!.contextTokens).toBe(4096);
  });

  test("a server that is not there is known at once", async () => {
    await expect(judgeAt("http://127.0.0.1:1")).rejects.toMatchObject({ code: "REMOTE_FAILURE" });
  });

  test.each<[object, string]>([
    [{ remote: { url: "ftp://x", model: "m" } }, "an http address without a password in it for url"],
    [{ remote: { url: "http://a:b@x", model: "m" } }, "an http address without a password in it for url"],
    [{ remote: { url: "http://x" } }, "a non-empty string for model"],
    [{ remote: { url: "http://x", model: "m", apiKey: "a\nb" } }, "letters, digits and signs for apiKey"],
    [{ remote: { url: "http://x", model: "m" }, threads: 2 }, "only remote and template for a remote judge"],
  ])("%j is refused", async (options, message) => {
    await expect(Grm.load(options as never)).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining(message),
    });
  });

  test("has no probabilities of given tokens", async () => {
    const { url } = await serve(() => "never");
    const engine = await RemoteEngine.load({ url, model: "grm" });
    await expect(engine.score()).rejects.toMatchObject({ code: "UNSUPPORTED" });
    await expect(engine.tokenize()).rejects.toMatchObject({ code: "UNSUPPORTED" });
  });
});

describe("cutAtStop", () => {
  const stop = { pattern: stopPattern("scores", 2), skip: { open: "<think>", close: "</think>" } };

  test.each([
    ["so \\boxed{3, 7} and \\boxed{1, 2}", "so \\boxed{3, 7}"],
    ["<think>\\boxed{1, 2}</think>\\boxed{3, 7}!", "<think>\\boxed{1, 2}</think>\\boxed{3, 7}"],
    ["\\boxed{42} only", undefined],
    ["<think>\\boxed{1, 2}", undefined],
  ])("%s", (text, kept) => {
    const end = cutAtStop(text, stop);
    expect(end === undefined ? undefined : text.slice(0, end)).toBe(kept);
  });
});
