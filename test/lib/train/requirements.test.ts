import { describe, expect, test } from "vitest";
import { extractScores, extractWinner } from "../../../lib/extract/scores.js";
import { heldOutItems } from "../../../lib/train/held_out.js";
import { shareToScore } from "../../../lib/train/tasks/requirement_judgement.js";
import {
  evidence,
  lineWords,
  meetsRequirement,
  metShare,
  namedWords,
  type Requirement,
  requirementKinds,
  requirementName,
} from "../../../lib/train/tasks/requirement_kinds.js";
import { RequirementTask } from "../../../lib/train/tasks/requirements.js";
import { contentWords, fillerWords } from "../../../lib/train/tasks/words.js";

const line = "The river, by a Lamp and dog.";

describe("the checker", () => {
  test.each<[Requirement["kind"], string, boolean, string]>([
    ["mention", "river", true, "found river by"],
    ["mention", "rive", false, "not found"],
    ["mention", "lamp", true, "found lamp and"],
    ["mention", "dog", true, "found dog"],
    ["avoid", "lamp", false, "found lamp and"],
    ["avoid", "sea", true, "not found"],
    ["begin", "the", true, "begins with the"],
    ["begin", "river", false, "begins with the"],
    ["end", "dog", true, "ends with dog"],
    ["end", "lamp", false, "ends with dog"],
    ["most", "7", true, "7 words"],
    ["most", "6", false, "7 words"],
    ["least", "7", true, "7 words"],
    ["least", "8", false, "7 words"],
  ])("%s %s: %s", (kind, value, met, quoted) => {
    expect(meetsRequirement({ kind, value }, line)).toBe(met);
    expect(evidence({ kind, value }, line)).toBe(quoted);
  });

  test.each<[Requirement["kind"], string, string | undefined, string, boolean, string]>([
    ["before", "river", "dog", line, true, "river then dog"],
    ["before", "dog", "river", line, false, "river then dog"],
    ["before", "river", "sea", line, false, "only river"],
    ["before", "sea", "river", line, false, "only river"],
    ["before", "sea", "hill", line, false, "neither"],
    ["sum", "3", "4", "the 7 dogs", true, "7 found"],
    ["sum", "3", "4", "the 8 dogs of 17", false, "7 not found"],
    ["fact", "lamp", "red", "a lamp is red", true, "says lamp is red"],
    ["fact", "lamp", "red", "A Lamp is blue.", false, "says lamp is blue"],
    ["fact", "lamp", "red", "a red lamp is", true, "not said"],
    ["format", "question mark", undefined, "a dog?", true, "found"],
    ["format", "question mark", undefined, "a dog", false, "not found"],
    ["format", "comma", undefined, "a dog, a lamp", true, "found"],
    ["format", "capital letter", undefined, "a dog", false, "not found"],
    ["format", "capital letter", undefined, "A dog", true, "found"],
  ])("%s %s %s in %j: %s", (kind, value, other, text, met, quoted) => {
    expect(meetsRequirement({ kind, value, other }, text)).toBe(met);
    expect(evidence({ kind, value, other }, text)).toBe(quoted);
  });

  test("words are lower case and without punctuation", () => {
    expect(lineWords("It's a Well-known, old song!")).toEqual(["it's", "a", "well-known", "old", "song"]);
    expect(lineWords("")).toEqual([]);
    expect(evidence({ kind: "end", value: "dog" }, " ")).toBe("ends with nothing");
  });

  test("the share counts weights", () => {
    const requirements: Requirement[] = [
      { kind: "mention", value: "river", weight: 2 },
      { kind: "mention", value: "sea", weight: 1 },
      { kind: "end", value: "dog", weight: 1 },
    ];
    expect(metShare(requirements, line)).toBe(0.75);
    expect([0, 0.5, 0.75, 1].map(shareToScore)).toEqual([1, 6, 8, 10]);
  });
});

describe("the items", () => {
  const task = new RequirementTask();
  const items = Array.from({ length: 600 }, (_, seed) => task.generate(seed));

  test("the same seed gives the same item", () => {
    expect(task.generate(17)).toEqual(items[17]);
  });

  test("labels are exact and without ties", () => {
    for (const { requirements, responses, truth, label } of items) {
      expect(truth).toEqual(responses.map((response) => metShare(requirements, response)));
      if (responses.length === 1) expect(label).toBeNull();
      else expect(truth.filter((share) => share >= truth[label!]!)).toHaveLength(1);
    }
  });

  test("the query names each requirement's value, and marks the important ones", () => {
    for (const { query, requirements } of items) {
      for (const word of requirements.flatMap(namedWords)) expect(query.toLowerCase()).toContain(word);
      const marked = query.match(/important\)/g)?.length ?? 0;
      expect(marked).toBe(requirements.filter(({ weight }) => weight === 2).length);
    }
  });

  test("every kind is met about as often as not", () => {
    for (const kind of requirementKinds) {
      const met = items.flatMap(({ requirements, responses }) => {
        const asked = requirements.filter((requirement) => requirement.kind === kind);
        return asked.flatMap((requirement) => responses.map((line) => meetsRequirement(requirement, line)));
      });
      expect(met.length).toBeGreaterThan(50);
      const share = met.filter(Boolean).length / met.length;
      expect(Math.abs(share - 0.5), kind).toBeLessThan(0.2);
    }
  });

  test("the best of a pair stands in both places, and is as often the longer as the shorter one", () => {
    const pairs = heldOutItems(2000);
    const share = pairs.filter(({ label }) => label === 1).length / pairs.length;
    expect(Math.abs(share - 0.5)).toBeLessThan(0.04);
    const unequal = pairs.filter(({ responses: [a, b] }) => lineWords(a!).length !== lineWords(b!).length);
    const longer = unequal.filter(({ responses, label }) => {
      return lineWords(responses[label!]!).length > lineWords(responses[1 - label!]!).length;
    });
    expect(Math.abs(longer.length / unequal.length - 0.5)).toBeLessThan(0.06);
  });

  test("no held-out item is among a hundred thousand training items", () => {
    const key = ({ query, responses }: { query: string; responses: string[] }) =>
      [query, ...responses].join("\n");
    const heldOut = new Set(heldOutItems(1000).map(key));
    const training = new RequirementTask({ responseCounts: [0, 1, 0, 0] });
    for (let seed = 0; seed < 100_000; seed++) expect(heldOut.has(key(training.generate(seed)))).toBe(false);
  }, 120_000);

  test("few words and plain wording make easier items", () => {
    const easy = new RequirementTask({ words: 20, plain: 1, allKinds: false });
    const used = new Set<string>();
    for (let seed = 0; seed < 100; seed++) {
      const { query, requirements } = easy.generate(seed);
      for (const requirement of requirements) {
        expect(query).toContain(requirementName(requirement));
        if (!/\d/.test(requirement.value)) used.add(requirement.value);
      }
    }
    expect(used.size).toBeLessThanOrEqual(20);
  });
});

describe("the judgements", () => {
  const task = new RequirementTask({ lengthBias: 0, principles: [0, 0, 1] });

  test("read as a person would write them", () => {
    const item = {
      id: "x",
      query: "Write one short line. Mention river (important). Avoid lamp. End with dog.",
      responses: ["the river and a lamp", "a happy dog"],
      requirements: [
        { kind: "mention", value: "river", weight: 2 },
        { kind: "avoid", value: "lamp", weight: 1 },
        { kind: "end", value: "dog", weight: 1 },
      ] satisfies Requirement[],
      truth: [0.5, 0.5],
      label: 0,
      subset: "pair-3",
    };
    const text = task.trajectory(item, 1);
    const order = [...text.matchAll(/^\d\. (mention|avoid|end).*weight/gm)].map(([, kind]) => kind!);
    expect([...order].sort()).toEqual(["avoid", "end", "mention"]);
    const numbered = (lines: Record<string, string>) =>
      order.map((kind, index) => `${index + 1}. ${lines[kind]}`);
    expect(text.split("\n")).toEqual([
      "Principles:",
      ...numbered({
        mention: "mention river (weight 2)",
        avoid: "avoid lamp (weight 1)",
        end: "end with dog (weight 1)",
      }),
      "Critique:",
      "Response 1:",
      ...numbered({
        mention: "mention river: found river and, yes",
        avoid: "avoid lamp: found lamp, no",
        end: "end with dog: ends with lamp, no",
      }),
      "2 of 4",
      "Response 2:",
      ...numbered({
        mention: "mention river: not found, no",
        avoid: "avoid lamp: not found, yes",
        end: "end with dog: ends with dog, yes",
      }),
      "2 of 4",
      "Scores: \\boxed{6, 6}",
    ]);
  });

  test("the box holds one score for each response, which the extraction reads", () => {
    for (let seed = 0; seed < 300; seed++) {
      const item = new RequirementTask().generate(seed);
      const responses = item.responses.length;
      const { scores } = extractScores(task.trajectory(item, seed), { responses });
      expect(scores).toHaveLength(responses);
    }
  });

  test("with as many principles as requirements the best response gets the best score", () => {
    const thorough = new RequirementTask({ principles: [0, 0, 0, 0, 0, 1], lengthBias: 0 });
    for (let seed = 0; seed < 200; seed++) {
      const item = thorough.generate(seed);
      const { scores } = extractScores(thorough.trajectory(item, seed), { responses: item.responses.length });
      if (item.label !== null) expect(scores![item.label]).toBe(Math.max(...scores!));
    }
  });

  test("different seeds choose different principles, now and then the length", () => {
    const biased = new RequirementTask({ lengthBias: 0.5 });
    const item = biased.generate(3);
    const texts = Array.from({ length: 200 }, (_, seed) => biased.trajectory(item, seed));
    expect(new Set(texts).size).toBeGreaterThan(10);
    const longer = texts.filter((text) => text.includes("prefer the longer line")).length;
    expect(longer).toBeGreaterThan(60);
    expect(longer).toBeLessThan(140);
  });
});

describe("the other forms", () => {
  const task = new RequirementTask({ responseCounts: [0, 1, 0, 0] });
  const items = Array.from({ length: 300 }, (_, seed) => task.generate(seed));
  const choosesBest = (text: string, label: number) => {
    const { scores } = extractScores(text, { responses: 2 });
    return scores![label]! > scores![1 - label]!;
  };

  test("a judgement with the best response told chooses it far more often", () => {
    const right = (write: (item: (typeof items)[number], seed: number) => string) =>
      items.filter((item, seed) => choosesBest(write(item, seed), item.label!)).length;
    const told = right((item, seed) => task.hintedTrajectory(item, seed));
    expect(told).toBeGreaterThan(right((item, seed) => task.trajectory(item, seed)) + 60);
    expect(told).toBeGreaterThan(270);
  });

  test("a pairwise judgement names one of the two, a bare score is the truth", () => {
    let right = 0;
    for (const [seed, item] of items.entries()) {
      const winner = extractWinner(task.pairwiseTrajectory(item, seed), 2).scores!;
      if (winner[item.label!] === 1) right++;
      const { scores } = extractScores(task.scoresOnly(item), { responses: 2 });
      expect(scores).toEqual(item.truth.map(shareToScore));
    }
    expect(right).toBeGreaterThan(180);
    expect(right).toBeLessThan(290);
  });

  test("an answer meets most of what its query asks", () => {
    const shares = items.map((item, seed) => metShare(item.requirements, task.answer(item, seed)));
    expect(shares.reduce((sum, share) => sum + share, 0) / shares.length).toBeGreaterThan(0.7);
  });
});

test("the word lists do not overlap and hold plain words only", () => {
  expect(contentWords.filter((word) => fillerWords.includes(word))).toEqual([]);
  for (const word of [...contentWords, ...fillerWords]) expect(word).toMatch(/^[a-z]+$/);
});
