// The engine in a child process: what kills the child must reach the caller as an error, and only that.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Grm, LocalEngine, ProcessEngine, type SampleRequest } from "../../dist/index.js";
import { encodeGguf, scratchFolder, tinyModel } from "./tiny_model.js";

const file = scratchFolder();
const query = { query: "q", responses: ["a", "b"] };
const options = { k: 4, maxTokens: 24, temperature: 1 };
let model: string;
beforeAll(() => {
  model = file("tiny.gguf", tinyModel());
});

function request(samples: number, maxTokens: number): SampleRequest {
  return {
    prompts: [[{ role: "user", content: "Scores?" }]],
    samples: Array.from({ length: samples }, (_, seed) => ({ prompt: 0, seed })),
    sampling: { temperature: 1, topK: 0, topP: 1, minP: 0, order: "temperature-first" },
    maxTokens,
    logprobs: true,
  };
}

describe("a judge in a child process", () => {
  let grm: Grm;
  beforeAll(async () => {
    grm = await Grm.load({ model, template: "compact", isolation: "process", threads: 1 });
  });
  afterAll(() => grm.close());

  test("judges as one in this process does", async () => {
    const local = await Grm.load({ model, template: "compact", threads: 1 });
    const [inside, outside] = [await local.judge(query, options), await grm.judge(query, options)];
    await local.close();
    expect(outside.samples).toEqual(inside.samples);
    expect(grm.info).toEqual(local.info);
  });

  test("cancels, and rejects wrong requests, with the same errors", async () => {
    const controller = new AbortController();
    const judging = grm.judge(query, { k: 16, maxTokens: 2000, stopAtBox: false, signal: controller.signal });
    setTimeout(() => controller.abort("enough"), 50);
    await expect(judging).rejects.toMatchObject({ code: "CANCELLED", cause: "enough" });
    await expect(grm.judge(query, { maxTokens: 100_000 })).rejects.toMatchObject({
      code: "CONTEXT_OVERFLOW",
    });
    expect((await grm.judge(query, options)).samples).toHaveLength(4);
  });
});

test("both engines give up samples without a failure, and say what had been generated", async () => {
  for (const engine of [
    await LocalEngine.load({ modelPath: model, threads: 1 }),
    await ProcessEngine.load({ modelPath: model, threads: 1 }),
  ]) {
    const enough = new AbortController();
    const [short, long] = [request(1, 4), request(8, 2000)];
    let finished = 0;
    const running = engine.sample(long, () => finished++, undefined, enough.signal);
    await engine.sample(short, () => enough.abort());
    const { abandonedTokens } = await running;
    expect(finished).toBeLessThan(8);
    expect(abandonedTokens).toBeGreaterThan(0);
    expect(abandonedTokens).toBeLessThan(8 * 2000);
    const after = await engine.sample(
      request(3, 4),
      () => undefined,
      undefined,
      new AbortController().signal,
    );
    expect(after).toMatchObject({ abandonedTokens: 0 });
    await engine.close();
  }
});

describe("the death of the child", () => {
  test("rejects what ran with ENGINE_DIED, and the next request starts a new child", async () => {
    const engine = await ProcessEngine.load({ modelPath: model, threads: 1 });
    const first = (await engine.pid())!;
    const running = [
      engine.sample(request(32, 2000), () => undefined),
      engine.sample(request(32, 2000), () => undefined),
    ];
    const rejected = running.map((one) =>
      expect(one).rejects.toMatchObject({ code: "ENGINE_DIED", message: expect.stringContaining("SIGKILL") }),
    );
    await new Promise((resolve) => setTimeout(resolve, 50));
    process.kill(first, "SIGKILL");
    await Promise.all(rejected);
    const finished: number[] = [];
    await Promise.all([
      engine.sample(request(3, 4), ({ sample }) => finished.push(sample)),
      engine.sample(request(2, 4), ({ sample }) => finished.push(sample)),
    ]);
    expect(finished).toHaveLength(5);
    expect(await engine.pid()).not.toBe(first);
    await engine.close();
    await expect(engine.sample(request(1, 1), () => undefined)).rejects.toMatchObject({ code: "CLOSED" });
  });

  test("while it is idle is found at the next request", async () => {
    const engine = await ProcessEngine.load({ modelPath: model, threads: 1 });
    process.kill((await engine.pid())!, "SIGKILL");
    while ((await engine.pid()) !== undefined) await new Promise((resolve) => setTimeout(resolve, 5));
    const texts: string[] = [];
    await engine.sample(request(2, 4), ({ text }) => texts.push(text));
    expect(texts).toHaveLength(2);
    await engine.close();
  });

  test("by a model file that aborts llama.cpp is an error of loading", async () => {
    // Two tokens of the same text fail an assertion of llama.cpp's, which ends the process it is loaded in.
    const hostile = encodeGguf(
      {
        "general.architecture": "llama",
        "tokenizer.ggml.model": "rwkv",
        "tokenizer.ggml.tokens": ["a", "a", "b", "c"],
        "llama.vocab_size": { u32: 4 },
        "llama.context_length": { u32: 64 },
        "llama.embedding_length": { u32: 32 },
        "llama.block_count": { u32: 1 },
        "llama.feed_forward_length": { u32: 32 },
        "llama.attention.head_count": { u32: 4 },
        "llama.attention.layer_norm_rms_epsilon": { f32: 1e-5 },
      },
      [],
    );
    const loading = Grm.load({ model: file("twice.gguf", hostile), isolation: "process" });
    await expect(loading).rejects.toMatchObject({
      code: "ENGINE_DIED",
      message: expect.stringContaining("SIGABRT"),
    });
  });

  test("is not what an ordinary failure to load looks like", async () => {
    const loading = Grm.load({ model: file("text.gguf", "no model"), isolation: "process" });
    await expect(loading).rejects.toMatchObject({ code: "NOT_A_GGUF" });
  });
});

test("both engines hand over token ids and log-probabilities as typed arrays", async () => {
  for (const engine of [
    await LocalEngine.load({ modelPath: model }),
    await ProcessEngine.load({ modelPath: model }),
  ]) {
    await engine.sample(request(2, 6), ({ tokens, tokenIds, logprobs }) => {
      expect(tokenIds).toBeInstanceOf(Int32Array);
      expect(logprobs).toBeInstanceOf(Float32Array);
      expect([tokenIds!.length, logprobs!.length]).toEqual([tokens, tokens]);
    });
    await engine.close();
  }
});
