import { describe, expect, test } from "vitest";
import { type Ballot, defaultKMeta, tally, winners } from "../../../lib/vote/tally.js";

function ballots(scores: (readonly (number | null)[] | null)[], metas: (number | null)[] = []): Ballot[] {
  return scores.map((given, index) => ({ scores: given, meta: metas[index] ?? null }));
}

describe("tally", () => {
  test("adds up scores (paper, three samples)", () => {
    expect(
      tally(
        ballots([
          [8, 8],
          [5, 9],
          [7, 10],
        ]),
        2,
      ).scores,
    ).toEqual([20, 27]);
  });

  test("adds up scores (paper, four samples)", () => {
    const four = ballots([
      [1, 5],
      [5, 6],
      [4, 8],
      [7, 6],
    ]);
    expect(tally(four, 2).scores).toEqual([17, 25]);
    const rated = ballots(
      [
        [1, 5],
        [5, 6],
        [4, 8],
        [7, 6],
      ],
      [2.0, -1.0, 1.5, 0.5],
    );
    expect(tally(rated, 2)).toEqual({ scores: [5, 13], means: [2.5, 6.5], counted: [0, 2], valid: 4 });
  });

  test("keeps the samples with the highest meta scores (paper's meta logits)", () => {
    const rated = ballots(
      [
        [8, 8],
        [5, 9],
        [7, 10],
      ],
      [-15.7781, 1.3126, 1.6739],
    );
    expect(tally(rated, 2, { kMeta: 2 })).toMatchObject({ scores: [12, 19], counted: [1, 2] });
    expect(tally(rated, 2, { kMeta: 3 }).scores).toEqual([20, 27]);
    expect(tally(rated, 2)).toMatchObject({ scores: [7, 10], counted: [2] });
  });

  test("leaves failed samples out, whatever their meta score", () => {
    const some = ballots([[8, 5], null, [6, 7], null], [0.1, 9, 0.2, 8]);
    expect(tally(some, 2)).toMatchObject({ scores: [14, 12], counted: [0, 2], valid: 2 });
  });

  test("has no scores when every sample failed", () => {
    expect(tally(ballots([null, null]), 2)).toEqual({
      scores: null,
      means: [null, null],
      counted: [],
      valid: 0,
    });
  });

  test("ranks a sample without a meta score last, equals by position", () => {
    const some = ballots(
      [
        [1, 2],
        [3, 4],
        [5, 6],
        [7, 8],
      ],
      [null, 0.5, 0.5, 0.5],
    );
    expect(tally(some, 2, { kMeta: 2 }).counted).toEqual([1, 2]);
    expect(tally(some, 2, { kMeta: 4 }).counted).toEqual([0, 1, 2, 3]);
  });

  test("averages what is there", () => {
    const some = ballots([
      [8, null],
      [6, 5],
      [null, 9],
    ]);
    expect(tally(some, 2, { aggregate: "mean" }).scores).toEqual([7, 7]);
    expect(tally(some, 2).scores).toEqual([14, 14]);
  });

  test("has no scores when one response never got one", () => {
    expect(
      tally(
        ballots([
          [8, null],
          [6, null],
        ]),
        2,
        { aggregate: "mean" },
      ),
    ).toMatchObject({
      scores: null,
      means: [7, null],
    });
  });

  test("counts a majority when ballots name winners", () => {
    expect(
      tally(
        ballots([
          [1, 0],
          [0, 1],
          [1, 0],
        ]),
        2,
      ).scores,
    ).toEqual([2, 1]);
  });
});

test.each([
  [1, 1],
  [2, 1],
  [3, 1],
  [8, 4],
  [32, 16],
])("half of %i samples is %i", (k, half) => {
  expect(defaultKMeta(k)).toBe(half);
});

test.each([
  [[3, 7], [1]],
  [
    [7, 7],
    [0, 1],
  ],
  [
    [7, 1, 7],
    [0, 2],
  ],
  [[4], [0]],
])("the winners of %j are %j", (scores, top) => {
  expect(winners(scores)).toEqual(top);
});
