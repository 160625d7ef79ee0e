import { describe, expect, test } from "vitest";
import { CollapseWatch, type Vitals } from "../../../lib/train/collapse.js";
import { readRlItems, ruleReward, taskRlItems } from "../../../lib/train/rl_items.js";
import { RequirementTask } from "../../../lib/train/tasks/requirements.js";

describe("the rule reward of Eq. 11", () => {
  test.each([
    ["the best response alone on top", [3, 8, 5], 1, 1],
    ["another response on top", [3, 8, 9], 1, -1],
    ["a tie at the top", [8, 8], 0, -1],
    ["a tie below the top", [9, 2, 2], 0, 1],
    ["no scores", null, 0, -1],
    ["a single response that got its label", [1], 1, 1],
    ["a single wrong response called wrong", [0], 0, 1],
    ["a single response that did not get its label", [0], 1, -1],
  ] as const)("%s", (_, scores, label, reward) => {
    expect(ruleReward(scores, label)).toBe(reward);
  });
});

describe("items", () => {
  const row = { query: "q", responses: ["a", "b"], label: 1 };

  test("are read with the numbers of their lines as names", () => {
    const single = {
      id: "x",
      query: [{ role: "user", content: "q" }],
      responses: ["a"],
      label: 0,
      reference: "r",
    };
    expect(readRlItems(`${JSON.stringify(row)}\n\n${JSON.stringify(single)}\n`)).toEqual([
      { ...row, id: "line-1" },
      single,
    ]);
  });

  test.each([
    ["not JSON", "{", "Line 1:"],
    ["no label", JSON.stringify({ ...row, label: undefined }), "an integer of at least 0 for label"],
    ["a label past the responses", JSON.stringify({ ...row, label: 2 }), "from 0 to 1 for label"],
    [
      "a grade for a single response",
      JSON.stringify({ ...row, responses: ["a"], label: 7 }),
      "from 0 to 1 for label",
    ],
    ["no responses", JSON.stringify({ query: "q", label: 0 }), "for responses"],
    ["no query", JSON.stringify({ responses: ["a", "b"], label: 0 }), "for query"],
    ["an unknown field", JSON.stringify({ ...row, best: 1 }), "best"],
    ["null", "null", "Line 1:"],
  ])("%s is an error that names the line", (_, text, message) => {
    expect(() => readRlItems(text)).toThrow(
      expect.objectContaining({ code: "BAD_RECORD", message: expect.stringContaining(message) }),
    );
  });

  test("of a task are those with a best response, the same for the same seeds", () => {
    const task = new RequirementTask({ responseCounts: [0.5, 0.5, 0, 0] });
    const items = taskRlItems(task, 100, 20);
    expect(items).toHaveLength(20);
    expect(
      items.every(({ label, responses }) => responses.length === 2 && (label === 0 || label === 1)),
    ).toBe(true);
    expect(taskRlItems(task, 100, 20)).toEqual(items);
  });
});

describe("a collapse", () => {
  const healthy: Vitals = { invalid: 0.1, kl: 0.01, entropy: 0.5 };
  const begin = () => {
    const watch = new CollapseWatch();
    for (let step = 0; step < 10; step++) expect(watch.add(healthy)).toBeUndefined();
    return watch;
  };
  const stepsUntilCollapse = (vitals: Partial<Vitals>) => {
    const watch = begin();
    for (let step = 1; step <= 10; step++)
      if (watch.add({ ...healthy, ...vitals }) !== undefined) return step;
    return null;
  };

  // The mean of ten steps passes the limit: 0.1 + 0.06 n > 0.5, 0.01 + 0.149 n > 1, 0.5 - 0.0499 n < 0.01.
  test.each([
    [{ invalid: 0.7 }, 7, "70% of the judgements have no scores"],
    [{ kl: 1.5 }, 7, "1.50 nats"],
    [{ entropy: 0.001 }, 10, "the entropy fell from 0.50 to 0.0010"],
  ])("is %j for %d steps", (vitals, steps, reason) => {
    expect(stepsUntilCollapse(vitals)).toBe(steps);
    const watch = begin();
    let last: string | undefined;
    for (let step = 0; step < 10; step++) last = watch.add({ ...healthy, ...vitals });
    expect(last).toContain(reason);
  });

  test("is not a single bad step, nor a start that was as bad", () => {
    expect(begin().add({ invalid: 1, kl: 5, entropy: 0 })).toBeUndefined();
    const watch = new CollapseWatch();
    for (let step = 0; step < 30; step++) expect(watch.add({ ...healthy, invalid: 0.8 })).toBeUndefined();
  });

  test("is seen by a watch that goes on from another's state", () => {
    const watch = new CollapseWatch();
    for (let step = 0; step < 10; step++) watch.add(healthy);
    for (let step = 0; step < 9; step++) watch.add({ ...healthy, entropy: 0.0001 });
    const resumed = new CollapseWatch(JSON.parse(JSON.stringify(watch.state)));
    expect(resumed.add({ ...healthy, entropy: 0.0001 })).toContain("the entropy fell");
  });
});
