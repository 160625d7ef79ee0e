// A separate meta RM: what it reads, when, and what happens to the judge when either fails.
import { beforeAll, describe, expect, test } from "vitest";
import { formatVerdict } from "../../../lib/cli/report.js";
import { MetaRmEngine } from "../../../lib/engine/meta_rm.js";
import { SpctError } from "../../../lib/errors.js";
import { Grm } from "../../../lib/judge.js";
import type { PromptTemplate } from "../../../lib/prompt/template.js";
import { loadTemplate } from "../../../lib/templates.js";
import type { Completion, Query } from "../../../lib/types.js";
import { FakeEngine } from "../fake_engine.js";

let template: PromptTemplate;
beforeAll(async () => {
  template = await loadTemplate("compact");
});

const pair: Query = { query: "q", responses: ["better", "worse"] };
const texts = ["\\boxed{8, 3}", "\\boxed{3, 8}"];
const pause = (milliseconds = 20) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Reads the judgement, the last message, and values those whose first score is high. Refuses prompts with one that is too long. */
function reader() {
  const engine = new FakeEngine(() => "");
  const sample: typeof engine.sample = async (request, onCompletion) => {
    engine.requests.push(request);
    if (request.prompts.some((messages) => messages.at(-1)!.content.length > 100))
      throw new SpctError("CONTEXT_OVERFLOW", "too long");
    for (const [index, messages] of request.prompts.entries())
      onCompletion({
        ...{ sample: index, text: "", tokens: 0, reason: "length" },
        meta: messages.at(-1)!.content.includes("{8") ? 1 : -1,
      } satisfies Completion);
    return { promptTokens: 10 * request.prompts.length, promptTokensComputed: 10 };
  };
  return Object.assign(engine, { sample });
}

function judged(metaRm = reader(), answer = ({ sample }: { sample: number }) => texts[sample % 2]!) {
  const judge = new FakeEngine(answer);
  return { judge, metaRm, engine: new MetaRmEngine(judge, metaRm) };
}

describe("a separate meta RM", () => {
  test("keeps the samples that it values", async () => {
    const { engine, metaRm } = judged();
    const verdict = await Grm.over(engine, template).judge(pair, { k: 8, orderings: [[0, 1]] });
    expect(verdict).toMatchObject({ kMeta: 4, scores: [32, 12] });
    expect(verdict.samples.map(({ meta }) => meta)).toEqual([1, -1, 1, -1, 1, -1, 1, -1]);
    expect(verdict.usage.metaTokens).toBe(80);
    expect(formatVerdict(verdict, { width: 120, color: false })).toContain(", 80 read by the meta RM");
    expect(engine.info).toMatchObject({ hasHead: true, headKind: "meta", metaRm: "fake.gguf" });
    const roles = metaRm.requests.flatMap(({ prompts }) =>
      prompts.map((messages) => messages.map(({ role }) => role)),
    );
    expect(roles).toEqual(Array.from({ length: 8 }, () => ["user", "assistant"]));
  });

  test("reads what it is given in place of the judge's prompt, for the order of the sample", async () => {
    const { engine, metaRm } = judged();
    const completions: Completion[] = [];
    await engine.sample(
      {
        prompts: [[{ role: "user", content: "a" }], [{ role: "user", content: "b" }]],
        metaPrompts: [[{ role: "user", content: "meta a" }], [{ role: "user", content: "meta b" }]],
        samples: [0, 1, 1].map((prompt, seed) => ({ prompt, seed })),
        sampling: { temperature: 1, topK: 0, topP: 1, minP: 0, order: "temperature-first" },
        ...{ maxTokens: 8, logprobs: false },
      },
      (completion) => completions.push(completion),
    );
    const read = metaRm.requests.flatMap(({ prompts }) => prompts.map((messages) => messages[0]!.content));
    expect(read.sort()).toEqual(["meta a", "meta b", "meta b"]);
    expect(completions.map(({ sample, meta }) => [sample, meta]).sort()).toEqual([
      [0, 1],
      [1, -1],
      [2, 1],
    ]);
  });

  test("fails the judgement when it fails, and the judge stops", async () => {
    const metaRm = reader();
    metaRm.sample = async () => {
      throw new SpctError("OUT_OF_MEMORY", "the meta RM has no room");
    };
    const { engine, judge } = judged(metaRm);
    await expect(Grm.over(engine, template).judge(pair, { k: 64 })).rejects.toMatchObject({
      code: "OUT_OF_MEMORY",
    });
    expect(judge.running).toBe(0);
  });

  test("has nothing to do with the judge's own failure, and is stopped by the caller's signal", async () => {
    const failing = judged(reader(), () => {
      throw new SpctError("DECODE_FAILED", "no");
    });
    await expect(Grm.over(failing.engine, template).judge(pair, { k: 4 })).rejects.toMatchObject({
      code: "DECODE_FAILED",
    });
    const { engine } = judged();
    const signal = AbortSignal.abort();
    await expect(Grm.over(engine, template).judge(pair, { k: 4, signal })).rejects.toMatchObject({
      code: "CANCELLED",
    });
  });

  test("stops reading when the judge fails", async () => {
    const metaRm = reader();
    metaRm.sample = (_request, _onCompletion, signal) =>
      new Promise((_, reject) =>
        signal!.addEventListener("abort", () => reject(new SpctError("CANCELLED", "stopped"))),
      );
    const { engine } = judged(metaRm, ({ sample }) => {
      if (sample === 0) throw new SpctError("DECODE_FAILED", "no");
      return texts[0]!;
    });
    await expect(Grm.over(engine, template).judge(pair, { k: 4 })).rejects.toMatchObject({
      code: "DECODE_FAILED",
    });
  });

  test("gives a judgement that is too long for it no score, and the others theirs", async () => {
    const { engine, metaRm } = judged(reader(), ({ sample }) => {
      return `${sample === 2 ? "long ".repeat(30) : ""}${texts[sample % 2]}`;
    });
    const read = metaRm.sample;
    metaRm.sample = async (...args) => {
      await pause();
      return read(...args);
    };
    const verdict = await Grm.over(engine, template).judge(pair, { k: 8, orderings: [[0, 1]] });
    expect(metaRm.requests.some(({ prompts }) => prompts.length > 2)).toBe(true);
    expect(verdict.samples.map(({ meta }) => meta)).toEqual([1, -1, null, -1, 1, -1, 1, -1]);
    expect(verdict.samples[2]).toMatchObject({ scores: [8, 3], counted: false });
    expect(verdict.usage.metaTokens).toBe(70);
  });

  test("reads nothing more once there is enough", async () => {
    const { engine, metaRm } = judged(reader(), ({ sample }) => texts[sample % 2]!);
    const read = metaRm.sample;
    metaRm.sample = async (...args) => {
      await pause(); // the judge finishes the others
      return read(...args);
    };
    const enough = new AbortController();
    const completions: Completion[] = [];
    const usage = await engine.sample(
      {
        prompts: [[{ role: "user", content: "a" }]],
        samples: [0, 1, 2, 3].map((seed) => ({ prompt: 0, seed })),
        sampling: { temperature: 1, topK: 0, topP: 1, minP: 0, order: "temperature-first" },
        ...{ maxTokens: 8, logprobs: false },
      },
      (completion) => {
        completions.push(completion);
        enough.abort();
      },
      undefined,
      enough.signal,
    );
    expect(completions).toHaveLength(1);
    expect(metaRm.requests.map(({ prompts }) => prompts.length)).toEqual([1]);
    expect(usage).toMatchObject({ metaTokens: 10, abandonedTokens: 3 * texts[0]!.length });
  });

  test("closes with the judge", async () => {
    const { engine, judge, metaRm } = judged();
    await engine.close();
    expect([judge.closed, metaRm.closed]).toEqual([true, true]);
  });
});
