import { beforeAll, describe, expect, test } from "vitest";
import { TokenProbabilityJudge } from "../../dist/eval/judges/token_probability.js";
import { Grm, type Verdict } from "../../dist/index.js";
import { loadAddon } from "../../dist/native.js";
import { scratchFolder, tinyHead, tinyModel } from "./tiny_model.js";

const file = scratchFolder();
const query = { query: "Which is clearer?", responses: ["The sky is blue.", "Blue the sky being is."] };
const options = { k: 16, maxTokens: 48, temperature: 1 };
let model: string;
beforeAll(() => {
  model = file("tiny.gguf", tinyModel());
});

const texts = ({ samples }: Verdict) => samples.map(({ text }) => text);

describe("judging with a tiny model", () => {
  test("gives scores, order restored, and counts what failed", async () => {
    const grm = await Grm.load({ model, template: "compact" });
    try {
      const verdict = await grm.judge(query, options);
      expect(verdict.samples).toHaveLength(16);
      expect(verdict.valid).toBeGreaterThan(4);
      const sums = [0, 0];
      for (const { scores, text, order, finish, counted } of verdict.samples) {
        expect(counted).toBe(scores !== null);
        if (scores === null) continue;
        expect(finish).toBe("stop");
        const shown = /\\boxed\{(\d+), (\d+)\}$/.exec(text)!.slice(1).map(Number);
        expect(order.map((response) => scores[response])).toEqual(shown);
        for (const response of [0, 1]) sums[response]! += scores[response]!;
      }
      expect(verdict.scores).toEqual(sums);
      expect(sums[verdict.best!]).toBe(Math.max(...sums));
    } finally {
      await grm.close();
    }
  });

  test("gives the same texts for the same seeds, others for others", async () => {
    const grm = await Grm.load({ model, template: "compact" });
    const [first, again, other] = [
      await grm.judge(query, { ...options, seed: 5 }),
      await grm.judge(query, { ...options, seed: 5 }),
      await grm.judge(query, { ...options, seed: 500 }),
    ];
    await grm.close();
    expect(texts(again)).toEqual(texts(first));
    expect(texts(other)).not.toEqual(texts(first));
    expect(new Set(texts(first)).size).toBeGreaterThan(10);
  });

  test("takes the likeliest token at temperature 0, whatever the seed", async () => {
    const grm = await Grm.load({ model, template: "compact" });
    const verdict = await grm.judge(query, { ...options, temperature: 0, orderings: 1, k: 4 });
    await grm.close();
    expect(new Set(texts(verdict)).size).toBe(1);
  });

  test("computes each distinct prompt token once", async () => {
    const grm = await Grm.load({ model, template: "compact" });
    const { usage } = await grm.judge(query, { ...options, k: 32 });
    await grm.close();
    const engine = await loadAddon().loadEngine({ modelPath: model });
    const [a, b] = query.responses;
    const orders = [
      [a, b],
      [b, a],
    ].map(([first, second]) => [
      { text: "<|user|>", special: true },
      { text: `Query:\n${query.query}\nResponse 1:\n${first}\nResponse 2:\n${second}\n`, special: false },
      { text: "<|end|><|assistant|>", special: true },
    ]);
    const [left, right] = await engine.tokenize(orders);
    await engine.close();
    const shared = left!.findIndex((token, position) => token !== right![position]);
    expect(usage.promptTokens).toBe(16 * (left!.length + right!.length));
    expect(usage.promptTokensComputed).toBe(left!.length + right!.length - shared);
  });

  test("keeps prompts for later calls when told to", async () => {
    const grm = await Grm.load({ model, template: "compact", prefixCacheTokens: 2000 });
    const computed = [];
    for (let call = 0; call < 3; call++) {
      const { samples, usage } = await grm.judge(query, options);
      expect(samples.every(({ tokens }) => tokens > 0)).toBe(true);
      computed.push(usage.promptTokensComputed);
    }
    await grm.close();
    expect(computed[0]).toBeGreaterThan(20);
    expect(computed.slice(1)).toEqual([2, 2]); // the last row of each ordering
  });

  test("carries tokens and their log-probabilities when asked", async () => {
    const grm = await Grm.load({ model, template: "compact" });
    const verdict = await grm.judge(query, { ...options, k: 2, logprobs: true });
    await grm.close();
    for (const { tokens, tokenIds, logprobs } of verdict.samples) {
      expect(tokenIds).toHaveLength(tokens);
      expect(logprobs).toHaveLength(tokens);
      for (const value of logprobs!) expect(value).toBeLessThanOrEqual(0);
    }
  });

  test("judges many queries at once and answers in their order", async () => {
    const grm = await Grm.load({ model, template: "compact", contextTokens: 4096 });
    const queries = Array.from({ length: 12 }, (_, index) => ({
      query: `Question ${index}`,
      responses: Array.from({ length: 1 + (index % 3) }, (_, response) => `Answer ${response} to ${index}`),
    }));
    const verdicts: Verdict[] = [];
    for await (const verdict of grm.judgeMany(queries, { ...options, k: 6 })) verdicts.push(verdict);
    expect(verdicts.map(({ samples }) => samples[0]!.order.length)).toEqual(
      queries.map(({ responses }) => responses.length),
    );
    expect(
      verdicts.every(({ samples }) => samples.length === 6 && samples.every(({ tokens }) => tokens > 0)),
    ).toBe(true);
    await grm.close();
  });
});

describe("the meta RM", () => {
  test("is found beside the model and rates every sample", async () => {
    const beside = file("rated.gguf", tinyModel());
    file("rated.head.gguf", tinyHead({ weight: 0.1, bias: 0.25 }));
    const grm = await Grm.load({ model: beside, template: "compact" });
    expect(grm.info.hasHead).toBe(true);
    const { samples, kMeta } = await grm.judge(query, options);
    await grm.close();
    expect(kMeta).toBe(8);
    const metas = samples.map(({ meta }) => meta!);
    expect(new Set(metas).size).toBeGreaterThan(8);
    const valid = samples.filter(({ scores }) => scores !== null);
    const kept = valid.filter(({ counted }) => counted);
    expect(kept).toHaveLength(Math.min(8, valid.length));
    const lowestKept = Math.min(...kept.map(({ meta }) => meta!));
    for (const { meta, counted } of valid) if (!counted) expect(meta).toBeLessThanOrEqual(lowestKept);
  });

  test("is the bias alone when its weights are zero", async () => {
    const meta = file("bias.head.gguf", tinyHead({ bias: 0.75 }));
    const grm = await Grm.load({ model, meta, template: "compact" });
    const { samples } = await grm.judge(query, { ...options, k: 3 });
    await grm.close();
    expect(samples.map((sample) => sample.meta)).toEqual([0.75, 0.75, 0.75]);
  });

  test("can be left out", async () => {
    const beside = file("unrated.gguf", tinyModel());
    file("unrated.head.gguf", tinyHead());
    const grm = await Grm.load({ model: beside, meta: null, template: "compact" });
    expect(grm.info.hasHead).toBe(false);
    await grm.close();
  });

  test("is left out by a judge by token probability", async () => {
    const beside = file("weighed.gguf", tinyModel());
    file("weighed.head.gguf", tinyHead({ bias: 0.75 }));
    const load = { model: beside, template: "compact" };
    const judge = await TokenProbabilityJudge.load(load, { k: 2, seed: 0, reference: false, maxTokens: 8 });
    const samples = await judge.judge({ id: "a", label: null, ...query });
    await judge.close();
    expect(judge.details.hasHead).toBe(false);
    expect(judge.identity).toMatchObject({ head: null });
    expect(samples.map(({ meta }) => meta)).toEqual([null, null]);
  });

  test("must exist and fit the model", async () => {
    await expect(Grm.load({ model, meta: "fused" })).rejects.toMatchObject({ code: "HEAD_NOT_FOUND" });
    const meta = file("wide.head.gguf", tinyHead({ size: 64 }));
    await expect(Grm.load({ model, meta })).rejects.toMatchObject({ code: "HEAD_MISMATCH" });
    await expect(Grm.load({ model, meta: model })).rejects.toMatchObject({ code: "NOT_A_HEAD" });
  });
});

describe("the manifest beside a model", () => {
  test("recommends a template and sampling", async () => {
    const beside = file("advised.gguf", tinyModel());
    file("advised.json", JSON.stringify({ template: "compact", maxTokens: 5, sampling: { temperature: 0 } }));
    const grm = await Grm.load({ model: beside });
    expect(grm.info.template).toBe("compact");
    const { samples } = await grm.judge(query, { k: 2, orderings: 1 });
    await grm.close();
    expect(samples[0]!.tokens).toBeLessThanOrEqual(5);
    expect(samples[1]!.text).toBe(samples[0]!.text);
  });

  test("is refused when it is wrong", async () => {
    const beside = file("misled.gguf", tinyModel());
    file("misled.json", JSON.stringify({ sampling: { temperature: -1 } }));
    await expect(Grm.load({ model: beside })).rejects.toMatchObject({ code: "BAD_MANIFEST" });
  });
});
