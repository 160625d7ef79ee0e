import { mkdtempSync, rmSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SpctError } from "../../../lib/errors.js";
import { Grm } from "../../../lib/judge.js";
import { ChatTemplate } from "../../../lib/prompt/chat.js";
import type { PromptTemplate } from "../../../lib/prompt/template.js";
import { loadTemplate } from "../../../lib/templates.js";
import type { ModelText } from "../../../lib/train/conversations.js";
import { readConversations } from "../../../lib/train/dataset.js";
import type { NativeTrainer, TokenBatch } from "../../../lib/train/native.js";
import { type RftOptions, type RftReport, rft } from "../../../lib/train/rft.js";
import { reject } from "../../../lib/train/rft_rejection.js";
import type { ItemSamples, RftSample } from "../../../lib/train/rft_samples.js";
import type { RlItem } from "../../../lib/train/rl_items.js";
import { chatTemplate } from "../../../lib/train/vocabulary.js";
import { uniform } from "../../../lib/vote/draw.js";
import { FakeEngine } from "../fake_engine.js";

const folder = mkdtempSync(join(tmpdir(), "spct-rft-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let template: PromptTemplate;
beforeAll(async () => {
  template = await loadTemplate("compact");
});

describe("rejection", () => {
  const sample = (scores: number[] | null, reward: 1 | -1, hinted = false): RftSample => ({
    ...{ hinted, order: [0, 1], seed: 0, scores, reward, finish: "stop", text: "", tokens: [] },
  });
  const right = sample([9, 2], 1);
  const wrong = sample([2, 9], -1);
  const tied = sample([5, 5], -1);
  const unreadable = sample(null, -1);
  const hintedRight = sample([9, 2], 1, true);
  const hintedWrong = sample([2, 9], -1, true);
  const items: ItemSamples[] = [
    { id: "easy", samples: [right, right, right, hintedRight] },
    { id: "mixed", samples: [right, tied, unreadable, hintedRight] },
    { id: "hard", samples: [wrong, wrong, wrong, hintedWrong] },
    { id: "long", samples: [], tooLong: "the prompt has 9000 tokens" },
  ];

  test("keeps what is right of items that are not too easy", () => {
    const { kept, counts } = reject(items, true);
    expect(kept).toEqual([
      { index: 1, sample: right },
      { index: 1, sample: hintedRight },
    ]);
    expect(counts).toEqual({
      ...{ items: 4, tooEasy: 1, tooLong: 1 },
      own: { sampled: 9, kept: 1, tooEasy: 3, wrong: 4, unreadable: 1 },
      hinted: { sampled: 3, kept: 1, tooEasy: 1, wrong: 1, unreadable: 0 },
    });
  });

  test("can be left out", () => {
    const { kept, counts } = reject(items, false);
    expect(kept).toHaveLength(12);
    expect(counts).toMatchObject({ tooEasy: 0, own: { kept: 9 }, hinted: { kept: 3 } });
  });

  test("has nothing to find easy among hinted judgements alone", () => {
    expect(reject([{ id: "a", samples: [hintedRight] }], true).kept).toHaveLength(1);
  });
});

const makeItems = (length: number): RlItem[] =>
  Array.from({ length }, (_, index) => ({
    ...{ id: `item-${index}`, query: `Which is number ${index}?`, responses: ["good", "bad"], label: 0 },
  }));
const items = makeItems(12);

/** Right with a hint; without one right or wrong by the seed, now and then without scores. */
function judgement({ prompt, seed }: { prompt: string; seed: number }): string {
  const goodFirst = prompt.includes("Response 1:\ngood\n");
  const hint = /Best: (\d)\n$/.exec(prompt)?.[1];
  const chance = uniform(seed);
  if (hint === undefined && chance < 0.2) return "I cannot say.";
  const first = hint === undefined ? (chance < 0.7 ? goodFirst : !goodFirst) : hint === "1";
  return `Critique ${seed}. \\boxed{${first ? "8, 3" : "3, 8"}}`;
}

const endToken = 1;
const text: ModelText = {
  vocabulary: {
    tokenize: async (pieces) =>
      Int32Array.from(
        pieces.flatMap(({ text, special }) =>
          special && text === "</s>" ? [endToken] : [...text].map((letter) => letter.charCodeAt(0)),
        ),
      ),
    text: () => "",
    forbidden: () => [],
  },
  chat: new ChatTemplate(chatTemplate),
  bosToken: "",
  eosToken: "</s>",
};

/** Remembers its batches; its checkpoint is the number of its steps. */
class FakeTrainer {
  batches: TokenBatch[] = [];
  constructor(public done = 0) {}
  get info() {
    return { stepsDone: this.done } as NativeTrainer["info"];
  }
  async step(batch: TokenBatch) {
    this.batches.push(batch);
    this.done++;
    return { loss: 1, gradientNorm: 1, tokens: batch.tokens.length, completionTokens: 1 };
  }
  async saveCheckpoint(path: string) {
    await writeFile(path, String(this.done));
  }
}

function prepare(name: string, options: Partial<RftOptions> = {}, done = 0) {
  const path = (ending: string) => join(folder, `${name}.${ending}`);
  const engine = new FakeEngine(judgement);
  const trainer = new FakeTrainer(done);
  const reports: RftReport[] = [];
  const opened: string[] = [];
  const train = () =>
    rft(
      {
        judge: async () => {
          opened.push("judge");
          return Grm.over(engine, template);
        },
        trainer: async () => {
          opened.push("trainer");
          return { trainer: trainer as unknown as NativeTrainer, text };
        },
      },
      {
        ...{ items, template, seed: 5, batch: 4, samplesPath: path("samples.jsonl") },
        ...{ dataPath: path("data.jsonl"), checkpointPath: path("checkpoint"), logPath: path("log.jsonl") },
        onReport: (report) => void reports.push(report),
        ...options,
      },
    );
  const read = (ending: string) => readFile(path(ending), "utf8");
  const lines = async (ending: string) =>
    (await read(ending))
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
  return { engine, trainer, reports, opened, train, read, lines, path };
}

describe("a run", () => {
  test("samples every item once, keeps what is right, and learns it as it was sampled without its hint", async () => {
    const { engine, trainer, opened, train, read, lines, reports } = prepare("whole");
    const result = await train();
    expect(result).toMatchObject({ finished: true, phase: "training" });
    if (result.phase !== "training") throw new Error("Expected the training to have run");
    const { counts } = result;
    for (const { sampled, kept, tooEasy, wrong, unreadable } of [counts.own, counts.hinted])
      expect(kept + tooEasy + wrong + unreadable).toBe(sampled);
    expect(counts).toMatchObject({ items: 12, own: { sampled: 36 }, hinted: { sampled: 12, wrong: 0 } });
    expect(Math.min(counts.own.wrong, counts.own.unreadable, counts.tooEasy)).toBeGreaterThan(0);
    expect(opened).toEqual(["judge", "trainer"]);
    expect(engine.closed).toBe(true);
    expect(engine.requests).toHaveLength(24);
    expect(engine.requests[0]!.sampling).toMatchObject({ temperature: 1, topK: 0, topP: 1, minP: 0 });

    const [header, ...sampled] = await lines("samples.jsonl");
    expect(header.run).toMatchObject({ seed: 5, samples: 3, items: 12 });
    expect(sampled.map(({ id }) => id)).toEqual(items.map(({ id }) => id));
    const samples = sampled.flatMap((item) => item.samples);
    expect(new Set(samples.map(({ seed }) => seed)).size).toBe(48);
    expect(new Set(samples.map(({ order }) => order[0]))).toEqual(new Set([0, 1]));

    const rows = await lines("data.jsonl");
    expect(rows).toHaveLength(counts.own.kept + counts.hinted.kept);
    expect(rows.filter(({ hinted }) => hinted)).toHaveLength(counts.hinted.kept);
    for (const { messages, order, scores } of rows) {
      expect(messages[0].content).not.toContain("Best:");
      expect(messages[0].content).toContain(`Response ${order.indexOf(0) + 1}:\ngood\n`);
      expect(scores[0]).toBeGreaterThan(scores[1]);
    }
    expect(readConversations(await read("data.jsonl"))).toHaveLength(rows.length);

    const learnt = trainer.batches.flatMap((batch) => completionsOf(batch));
    const expected = rows.map(({ messages }) => messages[1].content + String.fromCharCode(endToken));
    expect(learnt.sort()).toEqual(expected.sort());
    expect(reports.map(({ phase }) => phase)).toContain("sampling");
    expect(reports.at(-1)).toMatchObject({ phase: "training", secondsLeft: 0 });
    expect((await lines("log.jsonl")).map(({ phase }) => phase)).toEqual(["sampling", undefined]);
  });

  test("that is stopped in either phase and loses half a line ends with the bytes of one that was not", async () => {
    const many = { items: makeItems(60) };
    const whole = prepare("never-stopped", many);
    await whole.train();
    const stop = new AbortController();
    const first = prepare("stopped", {
      ...many,
      signal: stop.signal,
      onReport: (report) => {
        if (report.phase === "sampling" && report.done === 5) stop.abort();
      },
    });
    expect(await first.train()).toMatchObject({ finished: false, phase: "sampling" });
    expect(first.opened).toEqual(["judge"]);
    expect(first.engine.closed).toBe(true);
    const samples = await first.read("samples.jsonl");
    await writeFile(first.path("samples.jsonl"), samples.slice(0, -40));
    const left = 60 - (samples.split("\n").length - 3); // of the lines: the header, the torn one, and what follows the last
    expect(left).toBeGreaterThan(5);

    const stopTraining = new AbortController();
    const second = prepare("stopped", {
      ...many,
      signal: stopTraining.signal,
      onReport: ({ phase }) => {
        if (phase === "training") stopTraining.abort();
      },
    });
    expect(await second.train()).toMatchObject({ finished: false, phase: "training", steps: 10 });
    // Each of the other items by one request without and one with the hint.
    expect(second.engine.requests).toHaveLength(2 * left);
    expect(await second.read("samples.jsonl")).toBe(await whole.read("samples.jsonl"));

    const third = prepare("stopped", many, Number(await second.read("checkpoint")));
    expect(await third.train()).toMatchObject({ finished: true });
    expect(third.opened).toEqual(["trainer"]);
    expect(await third.read("data.jsonl")).toBe(await whole.read("data.jsonl"));
    expect([...second.trainer.batches, ...third.trainer.batches]).toEqual(whole.trainer.batches);
  });

  test("of another seed samples otherwise, and does not go on from this one", async () => {
    const one = prepare("seed-5");
    await one.train();
    const other = prepare("seed-6", { seed: 600 });
    await other.train();
    expect(await other.read("data.jsonl")).not.toBe(await one.read("data.jsonl"));
    const mixed = prepare("seed-5", { seed: 600 });
    await expect(mixed.train()).rejects.toMatchObject({
      code: "RUN_MISMATCH",
      message: expect.stringContaining("seed"),
    });
    expect(mixed.opened).toEqual([]);
  });

  test("can do without hints, with hints alone, and without rejection", async () => {
    const without = prepare("without", { hints: "without" });
    expect(await without.train()).toMatchObject({ counts: { own: { sampled: 36 }, hinted: { sampled: 0 } } });
    const only = prepare("only", { hints: "only" });
    expect(await only.train()).toMatchObject({
      counts: { tooEasy: 0, own: { sampled: 0 }, hinted: { sampled: 12, kept: 12 } },
    });
    const everything = prepare("everything", { rejection: false });
    expect(await everything.train()).toMatchObject({ counts: { own: { kept: 36 }, hinted: { kept: 12 } } });
    expect(await everything.lines("data.jsonl")).toHaveLength(48);
  });

  test("mixes in its share of conversations", async () => {
    const conversations = Array.from({ length: 200 }, (_, index) => ({
      messages: [{ role: "user", content: `Say ${index}.` }],
      completion: `${index}`,
    }));
    const { train, lines, trainer } = prepare("mixed", { general: { conversations, share: 0.75 } });
    const result = await train();
    if (result.phase !== "training") throw new Error("Expected the training to have run");
    const { own, hinted, general } = result.counts;
    expect(general).toBe(3 * (own.kept + hinted.kept));
    const rows = await lines("data.jsonl");
    expect(new Set(rows.map(({ messages }) => JSON.stringify(messages))).size).toBe(rows.length);
    expect(rows).toHaveLength(general + own.kept + hinted.kept);
    expect(trainer.batches.flatMap((batch) => [...batch.lengths])).toHaveLength(rows.length);
    const all = prepare("mixed-all", { general: { conversations } });
    expect(await all.train()).toMatchObject({ counts: { general: 200 } });
  });

  test("hints at a single response by what it is", async () => {
    const single = { ...items[0]!, responses: ["good"], label: 0 };
    const { engine, train } = prepare("single", { items: [single], samples: 1 });
    await expect(train()).rejects.toMatchObject({ code: "NOTHING_TO_LEARN" });
    const prompts = engine.requests.map(({ prompts }) => prompts[0]![0]!.content);
    expect(
      prompts.filter((prompt) => prompt.endsWith("Response 1:\ngood\nHint: not correct\n")),
    ).toHaveLength(1);
  });

  test("passes over an item that is too long and fails with the name of one that cannot be judged", async () => {
    const fails = (code: string) => {
      const name = `fails-${code}`;
      const prepared = prepare(name);
      const sample = prepared.engine.sample.bind(prepared.engine);
      prepared.engine.sample = async (request, ...rest) => {
        if (request.prompts[0]![0]!.content.includes("number 7?")) throw new SpctError(code, "it broke");
        return sample(request, ...rest);
      };
      return prepared;
    };
    expect(await fails("CONTEXT_OVERFLOW").train()).toMatchObject({
      counts: { items: 12, tooLong: 1, own: { sampled: 33 } },
    });
    const broken = fails("NUMERICAL_FAILURE");
    await expect(broken.train()).rejects.toMatchObject({
      code: "NUMERICAL_FAILURE",
      message: "Item item-7: it broke",
    });
    expect(await broken.lines("samples.jsonl")).toHaveLength(8);
    expect(broken.engine.running).toBe(0);
  });

  test.each([
    [{ samples: 0 }, "samples"],
    [{ hints: "some" as never }, "hints"],
    [{ general: { conversations: [], share: 1 } }, "generalShare"],
    [{ items: [] }, "items"],
    [{ seed: -1 }, "seed"],
  ])("refuses %j", async (options, name) => {
    const { train, opened } = prepare("refused", options);
    await expect(train()).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining(name),
    });
    expect(opened).toEqual([]);
  });

  test("says that a line of its samples is damaged", async () => {
    const { train, path, read } = prepare("damaged");
    await train();
    const lines = (await read("samples.jsonl")).split("\n");
    lines[3] = lines[3]!.slice(5);
    await writeFile(path("samples.jsonl"), lines.join("\n"));
    await expect(train()).rejects.toMatchObject({
      code: "BAD_RECORD",
      message: expect.stringContaining("samples.jsonl:4"),
    });
  });
});

function completionsOf({ tokens, lengths, completions }: TokenBatch): string[] {
  let at = 0;
  return [...lengths].map((length, index) => {
    const completion = tokens.slice(at + completions[index]!, at + length);
    at += length;
    return String.fromCharCode(...completion);
  });
}
