import { beforeAll, describe, expect, test } from "vitest";
import { Grm } from "../../lib/judge.js";
import type { PromptTemplate } from "../../lib/prompt/template.js";
import { loadTemplate } from "../../lib/templates.js";
import type { Query, Verdict } from "../../lib/types.js";
import { type Asked, FakeEngine } from "./fake_engine.js";

let template: PromptTemplate;
beforeAll(async () => {
  template = await loadTemplate("compact");
});

const query = (score: number): Query => ({ query: `score ${score}`, responses: ["x"] });
const numbers = (count: number) => Array.from({ length: count }, (_, index) => query((index % 10) + 1));
const answer = ({ prompt }: Asked) => `\\boxed{${/score (\d+)/.exec(prompt)![1]}}`;

async function collect(verdicts: AsyncIterable<Verdict>): Promise<number[]> {
  const scores: number[] = [];
  for await (const verdict of verdicts) scores.push(verdict.scores![0]!);
  return scores;
}

describe("judgeMany", () => {
  test("keeps the order, whichever query is done first", async () => {
    const engine = new FakeEngine(async (asked) => {
      const score = Number(/score (\d+)/.exec(asked.prompt)![1]);
      await new Promise((resolve) => setTimeout(resolve, 10 - score));
      return answer(asked);
    });
    const grm = Grm.over(engine, template);
    expect(await collect(grm.judgeMany(numbers(10), { k: 1, concurrency: 10 }))).toEqual([
      1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
    ]);
    expect(engine.mostRunning).toBe(10);
  });

  test("works on as many queries as allowed and takes no more than that", async () => {
    const engine = new FakeEngine(answer);
    let taken = 0;
    let given = 0;
    async function* source() {
      for (const one of numbers(30)) {
        taken++;
        expect(taken - given).toBeLessThanOrEqual(4);
        yield one;
      }
    }
    for await (const verdict of Grm.over(engine, template).judgeMany(source(), { k: 1, concurrency: 3 })) {
      expect(verdict.best).toBe(0);
      given++;
      if (given === 5) await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect({ taken, given, most: engine.mostRunning }).toEqual({ taken: 30, given: 30, most: 3 });
  });

  test("hands verdicts over while the source is slow", async () => {
    let release: (() => void) | undefined;
    async function* source() {
      yield query(4);
      await new Promise<void>((resolve) => {
        release = resolve;
      });
      yield query(5);
    }
    const verdicts = Grm.over(new FakeEngine(answer), template).judgeMany(source(), { k: 1, concurrency: 8 });
    expect((await verdicts.next()).value!.scores).toEqual([4]);
    release!();
    expect((await verdicts.next()).value!.scores).toEqual([5]);
    expect((await verdicts.next()).done).toBe(true);
  });

  test("takes an empty source", async () => {
    expect(await collect(Grm.over(new FakeEngine(answer), template).judgeMany([]))).toEqual([]);
  });

  test("throws at the first failure and stops the others", async () => {
    const engine = new FakeEngine(answer);
    const broken = [...numbers(3), { query: "", responses: ["x"] }, ...numbers(50)];
    const scores: number[] = [];
    const judging = (async () => {
      for await (const verdict of Grm.over(engine, template).judgeMany(broken, { k: 2, concurrency: 4 })) {
        scores.push(verdict.scores![0]!);
      }
    })();
    await expect(judging).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(scores).toEqual([2, 4, 6]);
    expect(engine.running).toBe(0);
    expect(engine.requests.length).toBeLessThan(10);
  });

  test("goes on after a failure when told what to do with it", async () => {
    const failed: number[] = [];
    const broken = [query(1), { query: "", responses: ["x"] }, query(3)];
    const verdicts = Grm.over(new FakeEngine(answer), template).judgeMany(broken, {
      k: 1,
      onError: (_error, index) => failed.push(index),
    });
    expect(await collect(verdicts)).toEqual([1, 3]);
    expect(failed).toEqual([1]);
  });

  test("throws what the source throws, after the verdicts of what it gave", async () => {
    const problem = new Error("disk");
    async function* source() {
      yield query(1);
      yield query(2);
      throw problem;
    }
    const scores: number[] = [];
    const judging = (async () => {
      for await (const verdict of Grm.over(new FakeEngine(answer), template).judgeMany(source(), { k: 1 })) {
        scores.push(verdict.scores![0]!);
      }
    })();
    await expect(judging).rejects.toBe(problem);
    expect(scores).toEqual([1, 2]);
  });

  test("stops working when nobody listens any more", async () => {
    const engine = new FakeEngine(answer);
    let returned = false;
    async function* source() {
      try {
        yield* numbers(1000);
      } finally {
        returned = true;
      }
    }
    for await (const _verdict of Grm.over(engine, template).judgeMany(source(), { k: 4, concurrency: 8 }))
      break;
    expect({ running: engine.running, returned }).toEqual({ running: 0, returned: true });
    expect(engine.requests.length).toBeLessThan(20);
  });

  test("ends with CANCELLED when the signal says so, with onError too", async () => {
    const controller = new AbortController();
    const engine = new FakeEngine((asked) => {
      if (engine.requests.length > 5) controller.abort();
      return answer(asked);
    });
    const verdicts = Grm.over(engine, template).judgeMany(numbers(100), {
      k: 1,
      concurrency: 2,
      signal: controller.signal,
      onError: () => expect.fail("a cancelled judging has no failures of its own"),
    });
    await expect(collect(verdicts)).rejects.toMatchObject({ code: "CANCELLED" });
  });

  test.each([{ concurrency: 0 }, { onError: 3 }, { k: 0 }, { unknown: 1 }])("refuses %j", async (options) => {
    const verdicts = Grm.over(new FakeEngine(answer), template).judgeMany(numbers(1), options as never);
    await expect(collect(verdicts)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });
});
