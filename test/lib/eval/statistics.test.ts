import { describe, expect, test } from "vitest";
import { AucSample } from "../../../lib/eval/auc.js";
import {
  bootstrap,
  bootstrapStrata,
  cohenKappa,
  mcnemar,
  weightedMean,
  wilson,
} from "../../../lib/eval/statistics.js";
import { uniform } from "../../../lib/vote/draw.js";

describe("wilson", () => {
  test("agrees with published values", () => {
    const [low, high] = wilson(0.8, 10)!; // Newcombe 1998
    expect(low).toBeCloseTo(0.4902, 4);
    expect(high).toBeCloseTo(0.9433, 4);
    expect(wilson(0, 20)![0]).toBe(0);
    expect(wilson(0, 20)![1]).toBeCloseTo(0.1611, 4);
    expect(wilson(0.5, 0)).toBeNull();
  });

  test("covers the truth about 95 times of 100", () => {
    let covered = 0;
    for (let run = 0; run < 1000; run++) {
      let hits = 0;
      for (let draw = 0; draw < 60; draw++) if (uniform(run, draw) < 0.7) hits++;
      const [low, high] = wilson(hits / 60, 60)!;
      if (low <= 0.7 && 0.7 <= high) covered++;
    }
    expect(covered).toBeGreaterThan(925);
    expect(covered).toBeLessThan(975);
  });
});

describe("mcnemar", () => {
  test.each([
    [0, 0, 1],
    [5, 5, 1],
    [1, 9, 22 / 1024],
    [0, 6, 2 / 64],
    [6, 0, 2 / 64],
  ])("%i against %i", (first, second, expected) => {
    expect(mcnemar(first, second)).toBeCloseTo(expected, 10);
  });

  test("stays finite for many items", () => {
    expect(mcnemar(5000, 5000)).toBeCloseTo(1, 6);
    expect(mcnemar(4800, 5200)).toBeCloseTo(6.6e-5, 5);
  });
});

describe("bootstrap", () => {
  const values = Array.from({ length: 400 }, (_, index) => (index % 4 === 0 ? 0 : 1));

  test("of a mean is as wide as the normal approximation", () => {
    const [low, high] = bootstrapStrata([{ values, weight: 1 }])!;
    const spread = 1.96 * Math.sqrt((0.75 * 0.25) / 400);
    expect(low).toBeCloseTo(0.75 - spread, 2);
    expect(high).toBeCloseTo(0.75 + spread, 2);
  });

  test("is the same each time, and follows its seed", () => {
    expect(bootstrapStrata([{ values, weight: 1 }])).toEqual(bootstrapStrata([{ values, weight: 1 }]));
    expect(bootstrapStrata([{ values, weight: 1 }], 1)).not.toEqual(
      bootstrapStrata([{ values, weight: 1 }], 2),
    );
  });

  test("weighs strata and leaves out empty ones", () => {
    const strata = [
      { values: [1, 1], weight: 3 },
      { values: [0], weight: 1 },
      { values: [], weight: 96 },
    ];
    expect(weightedMean(strata)).toBe(0.75);
    expect(bootstrapStrata(strata)).toEqual([0.75, 0.75]);
    expect(weightedMean([])).toBeNull();
    expect(bootstrapStrata([])).toBeNull();
  });

  test("takes any statistic", () => {
    const [low, high] = bootstrap(values.length, (indices) =>
      Math.max(...indices.map((index) => values[index]!)),
    )!;
    expect([low, high]).toEqual([1, 1]);
    expect(bootstrap(0, () => 1)).toBeNull();
  });
});

test("cohenKappa", () => {
  expect(
    cohenKappa([
      [20, 5],
      [10, 15],
    ]),
  ).toBeCloseTo(0.4, 10);
  expect(
    cohenKappa([
      [7, 0],
      [0, 0],
    ]),
  ).toBeNull();
});

describe("AucSample", () => {
  const sample = (items: [values: number[], correct: number[]][]) => {
    const auc = new AucSample();
    for (const [values, correct] of items) auc.add(values, correct);
    return auc;
  };
  const pairs = (count: number) =>
    Array.from({ length: count }, (_, index): [number[], number[]] => [
      [uniform(index, 1), uniform(index, 2) + 0.4],
      [1],
    ]);

  test("area and DeLong's interval", () => {
    // By hand: the components of the positives are 1, 1, 2/3, those of the negatives 2/3, 1, 1.
    const auc = sample([
      [[9], [0]],
      [[8], [0]],
      [[5], [0]],
      [[7], []],
      [[4], []],
      [[3], []],
    ]);
    expect(auc.area()).toBeCloseTo(8 / 9, 10);
    const [low, high] = auc.interval()!;
    expect(high).toBe(1);
    const deviations = [1, 1, 2 / 3, 2 / 3, 1, 1].map((component) => ((component - 8 / 9) / 3) ** 2);
    const spread = 1.959963984540054 * Math.sqrt((deviations.reduce((sum, one) => sum + one, 0) * 6) / 5);
    expect(low).toBeCloseTo(8 / 9 - spread, 10);
  });

  test("copies of responses within their item do not narrow the interval", () => {
    const once = sample(pairs(40)).interval()!;
    const thrice = sample(
      pairs(40).map(([[wrong, right]]) => [
        [wrong!, right!, wrong!, right!, wrong!, right!],
        [1, 3, 5],
      ]),
    ).interval()!;
    expect(thrice[0]).toBeCloseTo(once[0], 10);
    const apart = sample([...pairs(40), ...pairs(40), ...pairs(40)]).interval()!;
    expect(apart[0]).toBeGreaterThan(once[0] + 0.01);
  });

  test("estimates the interval of many items from some of them", { timeout: 30_000 }, () => {
    const many = sample(pairs(70_000));
    const area = 1 - 0.6 ** 2 / 2;
    expect(many.area()).toBeCloseTo(area, 2);
    const some = sample(pairs(4000)).interval()!;
    const [low, high] = many.interval()!;
    expect((high - low) / (some[1] - some[0])).toBeCloseTo(Math.sqrt(4000 / 70_000), 2);
  });

  test("has no interval without two classes", () => {
    expect(sample([[[1], [0]]]).interval()).toBeNull();
    expect(sample([]).area()).toBeNull();
  });
});
