import { describe, expect, test } from "vitest";
import { isDecided, kMetaOf, looksAt, type WholeVote } from "../../../lib/vote/decided.js";
import { uniform } from "../../../lib/vote/draw.js";
import type { Ballot } from "../../../lib/vote/tally.js";
import { tally, winners } from "../../../lib/vote/tally.js";

const pair: WholeVote = { k: 32, responses: 2, kind: "points" };
const ballots = (...scores: (number[] | null)[]): Ballot[] =>
  scores.map((one) => ({ scores: one, meta: null }));
const times = (count: number, ...scores: (number[] | null)[]) =>
  ballots(...Array.from({ length: count }, () => scores).flat());

test.each([
  [32, 1, [4, 8, 12, 16, 20, 24, 28]],
  [32, 2, [4, 8, 12, 16, 20, 24, 28]],
  [32, 3, [6, 12, 18, 24, 30]],
  [32, 5, [5, 10, 15, 20, 25, 30]],
  [32, 7, [7, 14, 21, 28]],
  [6, 2, [4]],
  [4, 2, []],
  [1, 1, []],
])(
  "a vote of %i in %i orderings is looked at after whole rounds of them, before its end",
  (k, orderings, looks) => {
    expect(looksAt(k, orderings)).toEqual(looks);
  },
);

test("the meta RM lets in the same share of a beginning as of all", () => {
  expect([4, 8, 31, 32].map((drawn) => kMetaOf(drawn, { k: 32, kMeta: 8 }))).toEqual([1, 2, 7, 8]);
  expect(kMetaOf(2, { k: 32, kMeta: 8 })).toBe(1);
  expect([4, 9].map((drawn) => kMetaOf(drawn, { k: 32 }))).toEqual([2, 4]);
});

describe("isDecided", () => {
  test.each<[string, Ballot[], Partial<WholeVote>, boolean]>([
    ["four clear ballots", times(4, [8, 4]), {}, true],
    ["one of four against", ballots([8, 4], [8, 4], [8, 4], [3, 8]), {}, false],
    ["four that are barely apart", times(4, [6, 5]), {}, true],
    ["a tie", times(6, [5, 5]), {}, false],
    ["no scores at all", times(4, null), {}, false],
    ["two of four without scores", [...times(2, [8, 4]), ...times(2, null)], {}, false],
    ["a rival that is close", times(4, [8, 4, 8], [8, 4, 7]), { responses: 3 }, false],
    ["rivals that are far", times(4, [8, 4, 5]), { responses: 3 }, true],
    ["four equal votes", times(4, [1, 0]), { kind: "votes" }, false],
    ["eight equal votes", times(8, [1, 0]), { kind: "votes" }, true],
    ["votes that are even", times(4, [1, 0], [0, 1]), { kind: "votes" }, false],
    ["a single response on a scale", times(16, [8]), { responses: 1 }, false],
    ["eight times correct", times(8, [1]), { responses: 1, kind: "votes" }, true],
    ["eight times wrong", times(8, [0]), { responses: 1, kind: "votes" }, true],
    ["as often correct as wrong", times(8, [1], [0]), { responses: 1, kind: "votes" }, false],
  ])("%s", (_, given, more, decided) => {
    expect(isDecided(given, { ...pair, ...more }, 2e-4)).toBe(decided);
  });

  test("needs more for a smaller risk, and less the fewer ballots are to come", () => {
    // Leads 1, 2, -1, 3: mean 1.25, squares 17.5, ten degrees of freedom. Of 32: t = 40 / sqrt(17.7 / 8 * (24 + 24 * 24 / 8)).
    const narrow = times(2, [6, 5], [7, 5], [5, 6], [7, 4]);
    expect([0.011, 0.01].map((risk) => isDecided(narrow, pair, risk))).toEqual([true, false]);
    // Of 12: t = 15 / sqrt(17.7 / 8 * (4 + 4 * 4 / 8)) = 4.12.
    expect([0.0011, 0.001].map((risk) => isDecided(narrow, { ...pair, k: 12 }, risk))).toEqual([true, false]);
  });

  test("looks at the ballots that the meta RM lets in", () => {
    const rate = (given: Ballot[], metas: number[]) =>
      given.map((ballot, index) => ({ ...ballot, meta: metas[index % metas.length]! }));
    const torn = times(8, [8, 3], [3, 8]);
    expect(isDecided(torn, pair, 2e-4)).toBe(false);
    expect(isDecided(rate(torn, [1, -1]), pair, 2e-4)).toBe(true);
    expect(isDecided(rate(times(8, [8, 3], [8, 3], [3, 8], [3, 8]), [1, -1]), pair, 2e-4)).toBe(false);
  });

  test("cannot say where a response has no score yet", () => {
    const partial = times(4, [8, 4, 2]).map((ballot) => ({ ...ballot, scores: [8, null, 2] }));
    expect(isDecided(partial, { ...pair, responses: 3 }, 2e-4)).toBe(false);
  });
});

/** A standard normal number, by its keys. */
function normal(...keys: number[]): number {
  return Math.sqrt(-2 * Math.log(1 - uniform(...keys, 1))) * Math.cos(2 * Math.PI * uniform(...keys, 2));
}

describe("over many items the winner seldom differs from that of all ballots", () => {
  const k = 32;
  const items = 250;
  const flipRisk = 0.01;
  const play = (ballotOf: (item: number, sample: number) => Ballot, vote: Omit<WholeVote, "k">) => {
    const looks = looksAt(k, vote.responses);
    let [drawn, differing, counted] = [0, 0, 0];
    for (let item = 0; item < items; item++) {
      const all = Array.from({ length: k }, (_, sample) => ballotOf(item, sample));
      const risk = flipRisk / (looks.length * (vote.responses - 1));
      const end = looks.find((count) => isDecided(all.slice(0, count), { ...vote, k }, risk)) ?? k;
      const [whole, early] = [all, all.slice(0, end)].map((some) =>
        winners(tally(some, vote.responses).scores!),
      );
      drawn += end;
      if (whole!.length > 1) continue;
      counted++;
      if (early!.length > 1 || early![0] !== whole![0]) differing++;
    }
    return { drawn: drawn / items, differing: differing / counted };
  };
  const score = (value: number) => Math.min(10, Math.max(1, Math.round(value)));

  test.each([
    ["points of two", 2, "points"],
    ["points of four", 4, "points"],
    ["votes", 2, "votes"],
  ] as const)("%s", (_, responses, kind) => {
    const ballotOf = (item: number, sample: number): Ballot => {
      const noise = 0.5 + 2 * uniform(item, 77);
      const values = Array.from({ length: responses }, (_, response) => {
        const quality = 5.5 + 1.5 * normal(item, response, 1000);
        return score(quality + noise * normal(item, sample, response));
      });
      if (kind === "points") return { scores: values, meta: null };
      const winner = values[0]! + 0.1 * uniform(item, sample, 5) > values[1]! + 0.05 ? 0 : 1;
      return { scores: winner === 0 ? [1, 0] : [0, 1], meta: null };
    };
    const { drawn, differing } = play(ballotOf, { responses, kind });
    expect(drawn).toBeLessThan(0.75 * k);
    expect(differing).toBeLessThan(flipRisk);
  });

  test("half of the points, chosen by a meta RM that knows a little", () => {
    const ballotOf = (item: number, sample: number): Ballot => {
      const quality = 1.5 * normal(item, 1000);
      const noise = 2 * normal(item, sample, 3);
      const meta = normal(item, sample, 4) + (noise * quality > 0 ? 0.5 : -0.5);
      return { scores: [score(6 + quality + noise), 6], meta };
    };
    const { drawn, differing } = play(ballotOf, { responses: 2, kind: "points" });
    expect(drawn).toBeLessThan(0.75 * k);
    expect(differing).toBeLessThan(flipRisk);
  });
});
