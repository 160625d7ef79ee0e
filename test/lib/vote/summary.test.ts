import { expect, test } from "vitest";
import { Summarizer, type SummaryOptions, type VotedItem } from "../../../lib/vote/summary.js";

function item(
  label: VotedItem["label"],
  scores: (number | null)[][],
  subset?: string,
  metas: number[] = [],
): VotedItem {
  const n = scores[0]!.length;
  return {
    n,
    label,
    subset,
    samples: scores.map((given, index) => ({ scores: given, meta: metas[index] ?? null })),
  };
}

function summarize(items: VotedItem[], options?: SummaryOptions) {
  const summarizer = new Summarizer(options);
  for (const one of items) summarizer.add(one);
  return summarizer.summary();
}

const items = [
  item(
    0,
    [
      [8, 5],
      [7, 6],
    ],
    "easy",
  ),
  item(
    1,
    [
      [8, 5],
      [2, 5],
    ],
    "hard",
  ),
  item(
    1,
    [
      [8, 5],
      [2, 5],
    ],
    "hard",
  ),
  item(
    null,
    [
      [3, 4],
      [3, 4],
    ],
    "easy",
  ),
  item(
    0,
    [
      [8, null],
      [6, null],
    ],
    "hard",
  ),
];

test("counts items, skips, ties and accuracy, in all and by subset", () => {
  const summary = summarize(items, { ties: "share" });
  expect(summary).toMatchObject({ items: 5, skipped: 1, labelled: 3, ties: 2, accuracy: 2 / 3 });
  expect(summary.bySubset.easy).toMatchObject({ items: 2, skipped: 0, labelled: 1, ties: 0, accuracy: 1 });
  expect(summary.bySubset.hard).toMatchObject({ items: 3, skipped: 1, labelled: 2, ties: 2, accuracy: 0.5 });
  expect(summarize(items, { ties: "lose" }).accuracy).toBe(1 / 3);
});

test("votes over the first k samples", () => {
  expect(summarize(items, { k: 1 })).toMatchObject({ ties: 0, accuracy: 1 / 3 });
});

test("draws ties by the seed, as often right as their share", () => {
  const tied = Array.from({ length: 2000 }, () => item(0, [[5, 5]]));
  const first = summarize(tied, { ties: "random", seed: 1 }).accuracy!;
  expect(first).toBe(summarize(tied, { ties: "random", seed: 1 }).accuracy);
  expect(first).not.toBe(summarize(tied, { ties: "random", seed: 2 }).accuracy);
  expect(Math.abs(first - 0.5)).toBeLessThan(0.05);
});

test("lets the meta scores choose the samples", () => {
  const one = [
    item(
      0,
      [
        [1, 9],
        [9, 1],
      ],
      undefined,
      [0.1, 0.9],
    ),
  ];
  expect(summarize(one).accuracy).toBe(1);
  expect(summarize(one, { kMeta: 2, ties: "lose" }).accuracy).toBe(0);
});

test("single responses and items without a wrong choice enter the AUC alone", () => {
  const singles = [item(0, [[9]]), item(0, [[4]]), item([], [[4]]), item([], [[2]])];
  expect(summarize(singles)).toMatchObject({ items: 4, labelled: 0, accuracy: null, auc: 0.875 });
});

test("has no figures without items", () => {
  expect(summarize([])).toEqual({
    items: 0,
    skipped: 0,
    labelled: 0,
    accuracy: null,
    ties: 0,
    auc: null,
    bySubset: {},
  });
});
