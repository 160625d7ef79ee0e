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
  const sample = (rows: [number, boolean, number][]) => {
    const auc = new AucSample();
    for (const row of rows) auc.add(...row);
    return auc;
  };

  test("area and DeLong's interval", () => {
    // By hand: the components of the positives are 1, 1, 0.5, those of the negatives 1, 1, 0.5.
    const auc = sample([
      [9, true, 0],
      [8, true, 1],
      [5, true, 2],
      [7, false, 3],
      [4, false, 4],
      [3, false, 5],
    ]);
    expect(auc.area()).toBeCloseTo(8 / 9, 10);
    const [low, high] = auc.interval()!;
    expect(high).toBe(1);
    const deviations = [1, 1, 2 / 3, 2 / 3, 1, 1].map((component) => ((component - 8 / 9) / 3) ** 2);
    const spread = 1.959963984540054 * Math.sqrt((deviations.reduce((sum, one) => sum + one, 0) * 6) / 5);
    expect(low).toBeCloseTo(8 / 9 - spread, 10);
  });

  test("copies of the same item do not narrow the interval", () => {
    const rows = Array.from({ length: 40 }, (_, index): [number, boolean, number] => [
      uniform(index, 1) + (index % 2) * 0.4,
      index % 2 === 1,
      index >> 1,
    ]);
    const once = sample(rows).interval()!;
    const thrice = sample([...rows, ...rows, ...rows]).interval()!;
    expect(thrice[0]).toBeCloseTo(once[0], 10);
    const apart = sample(
      [...rows, ...rows, ...rows].map(([value, positive], index) => [value, positive, index]),
    ).interval()!;
    expect(apart[0]).toBeGreaterThan(once[0] + 0.01);
  });

  test("has no interval without two classes", () => {
    expect(sample([[1, true, 0]]).interval()).toBeNull();
    expect(sample([]).area()).toBeNull();
  });
});
