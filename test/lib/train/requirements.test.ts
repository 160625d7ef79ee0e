import { describe, expect, test } from "vitest";
import { extractScores } from "../../../lib/extract/scores.js";
import { heldOutItems } from "../../../lib/train/held_out.js";
import {
  evidence,
  lineWords,
  meetsRequirement,
  metShare,
  type Requirement,
  RequirementTask,
  requirementName,
  shareToScore,
} from "../../../lib/train/tasks/requirements.js";
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
      for (const { value } of requirements) expect(query.toLowerCase()).toContain(value);
      const marked = query.match(/important\)/g)?.length ?? 0;
      expect(marked).toBe(requirements.filter(({ weight }) => weight === 2).length);
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
    const easy = new RequirementTask({ words: 20, plain: 1 });
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
  const task = new RequirementTask({ lengthBias: 0 });

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
    const thorough = new RequirementTask({ principles: 6, lengthBias: 0 });
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

test("the word lists do not overlap and hold plain words only", () => {
  expect(contentWords.filter((word) => fillerWords.includes(word))).toEqual([]);
  for (const word of [...contentWords, ...fillerWords]) expect(word).toMatch(/^[a-z]+$/);
});
