import { describe, expect, test } from "vitest";
import type { SampleRecord } from "../../../lib/records.js";
import { gain, type Judged, judgeAll, singleAuc, voteAccuracy } from "../../../lib/train/study/figures.js";
import { studyRows } from "../../../lib/train/study/rows.js";
import { studyTable } from "../../../lib/train/study/table.js";

const sample = (scores: number[] | null, meta: number | null = null): SampleRecord => ({ scores, meta });

function judged(label: number | null, truth: number[], samples: SampleRecord[]): Judged {
  const responses = truth.map((_, index) => `line ${index}`);
  return { item: { id: "a", query: "q", responses, truth, label, subset: "s" }, samples };
}

describe("accuracy of a vote", () => {
  const split = judged(0, [1, 0], [sample([3, 5], -1), sample([9, 1], 2), sample(null), sample([4, 4], 1)]);

  test("adds up the first k samples, shares ties, and takes no vote for wrong", () => {
    expect(voteAccuracy([split], { k: 1 })).toMatchObject({ accuracy: 0, n: 1 });
    expect(voteAccuracy([split], { k: 2 }).accuracy).toBe(1);
    expect(voteAccuracy([judged(0, [1, 0], [sample([4, 4])])], { k: 1 }).accuracy).toBe(0.5);
    expect(voteAccuracy([judged(0, [1, 0], [sample(null)])], { k: 1 }).accuracy).toBe(0);
    expect(() => voteAccuracy([judged(null, [1], [sample([4])])], { k: 1 })).toThrow(RangeError);
  });

  test("keeps the samples that the meta RM ranks highest", () => {
    const misled = judged(1, [0, 1], [sample([9, 1], -3), sample([9, 1], -2), sample([1, 4], 5)]);
    expect(voteAccuracy([misled], { k: 3 }).accuracy).toBe(0);
    expect(voteAccuracy([misled], { k: 3, kMeta: 1 }).accuracy).toBe(1);
    const split = judged(0, [1, 0], [sample([9, 1], 1), sample([8, 1], 0), sample([1, 4], -1)]);
    const [kept, all] = [{ k: 3, kMeta: 1 }, { k: 3 }];
    expect(gain([misled, split, split, split], kept, all)).toMatchObject({ accuracy: 0.25, n: 4 });
    const [low, high] = gain([misled, split, split, split], kept, all).ci;
    expect(low).toBe(0);
    expect(high).toBeGreaterThan(0.25);
  });
});

test("the area under the curve takes the mean of the scores and the middle where there are none", () => {
  const good = judged(null, [0.8], [sample([9]), sample([5])]);
  const bad = judged(null, [0.2], [sample([3]), sample([8])]);
  const unread = judged(null, [0.1], [sample(null), sample(null)]);
  expect(singleAuc([good, bad, unread], 1).accuracy).toBe(1);
  expect(singleAuc([good, bad], 2).accuracy).toBe(1);
  expect(singleAuc([judged(null, [0.8], [sample([1])]), unread], 1).accuracy).toBe(0);
});

test("a judge is closed after its items, also when it fails", async () => {
  let closed = 0;
  const judge = {
    ...{ name: "x", identity: {}, details: {}, k: 1, concurrency: 1 },
    judge: async () => [sample([1, 2])],
    close: async () => void closed++,
  };
  const { item } = judged(0, [1, 0], []);
  const { signal } = new AbortController();
  expect(await judgeAll(judge, [item], signal, () => {})).toEqual([{ item, samples: [sample([1, 2])] }]);
  const failing = { ...judge, judge: () => Promise.reject(new Error("lost")) };
  await expect(judgeAll(failing, [item], signal, () => {})).rejects.toThrow("lost");
  expect(closed).toBe(2);
});

test("the table has every row, measured or not", () => {
  const own = { sampled: 9, kept: 4, tooEasy: 2, wrong: 2, unreadable: 1 };
  const counts = { items: 3, tooEasy: 1, tooLong: 0, own, hinted: own, general: 1 };
  const figure = { accuracy: 0.5, ci: [0.25, 0.75] as [number, number], n: 8 };
  const measured = studyRows.map((row) => ({
    row,
    result: row.id === "rft" ? { figures: { greedy: figure }, counts, n: 8 } : undefined,
  }));
  const table = studyTable(measured, "about");
  expect(table).toContain("| rejective fine-tuning | greedy | 0.500 | 0.250 - 0.750 | 8 |");
  expect(table).toContain("| rejective fine-tuning | 3 | 1 | 4 of 9 | 2 | 2 | 1 | 4 of 9 | 2 | 2 | 1 |");
  expect(table.match(/not measured yet/g)).toHaveLength(studyRows.length - 1);
});
