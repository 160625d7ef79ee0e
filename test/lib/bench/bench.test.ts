import { expect, test } from "vitest";
import { judgingFlops, leastSeconds, stepCost } from "../../../lib/bench/cost.js";
import { metadataOf, shapeNames, shapes, tensorsOf } from "../../../lib/bench/shapes.js";
import { ratioOf, spreadOf } from "../../../lib/bench/spread.js";
import { makeQuery, turnedOrders } from "../../../lib/bench/workload.js";

const workload = { queryWords: 20, responseWords: 40, responses: 3, orderings: 2, k: 8, maxTokens: 16 };

test("the middle of an even number of values is the mean of two", () => {
  expect(spreadOf([4, 1, 3, 2])).toEqual({ median: 2.5, spread: [1, 4], n: 4 });
  expect(spreadOf([5, 1, 3])).toEqual({ median: 3, spread: [1, 5], n: 3 });
  expect(() => spreadOf([])).toThrow(RangeError);
});

test("a ratio pairs the rounds", () => {
  expect(ratioOf([4, 20], [2, 10])).toEqual({ median: 2, spread: [2, 2], n: 2 });
  expect(() => ratioOf([1], [1, 2])).toThrow("as many rounds");
});

test("a workload is a function of its seed", () => {
  const query = makeQuery(workload, 7);
  expect(makeQuery(workload, 7)).toEqual(query);
  expect(makeQuery(workload, 8)).not.toEqual(query);
  expect(query.responses.map((response) => response.split(" ").length)).toEqual([40, 40, 40]);
});

test("orderings turn the responses, at most once around", () => {
  expect(turnedOrders(workload)).toEqual([
    [0, 1, 2],
    [1, 2, 0],
  ]);
  expect(() => turnedOrders({ ...workload, orderings: 4 })).toThrow("(3) but received 4");
});

test.each([
  ["qwen3-0.6b", 0.596e9],
  ["llama-1b", 1.236e9],
  ["llama-8b", 8.03e9],
  ["qwen3-8b", 8.19e9],
] as const)("%s has as many parameters as the model it is named after", (name, parameters) => {
  const counted = tensorsOf(shapes[name], "f16").reduce(
    (sum, { columns, rows }) => sum + columns * Math.max(1, rows),
    0,
  );
  expect(counted / parameters).toBeCloseTo(1, 2);
});

test.each(shapeNames)(
  "%s: no tensor twice, whole blocks of every type, and its architecture named",
  (name) => {
    const tensors = tensorsOf(shapes[name], "q4_0");
    expect(new Set(tensors.map((tensor) => tensor.name)).size).toBe(tensors.length);
    expect(tensors.filter(({ columns, rows }) => rows > 0 && columns % 256 !== 0)).toEqual([]);
    expect(metadataOf(name).get("general.architecture")!.value).toBe(shapes[name].architecture);
  },
);

test("a step reads every weight once and multiplies it with every row", () => {
  const shape = {
    ...shapes["qwen3-0.1b"],
    layers: 1,
    embedding: 64,
    feedForward: 96,
    heads: 2,
    kvHeads: 1,
    headSize: 32,
  };
  const weights = 151_936 * 64 + 64 * 64 * 2 + 64 * 32 * 2 + 64 * 96 * 3;
  const cost = stepCost(shape, "q8_0", { rows: 4, cells: 100, visible: 50 });
  expect(cost).toEqual({
    weightBytes: (weights * 34) / 32,
    cacheBytes: 100 * 2 * 32 * 2,
    matmulFlops: 2 * weights * 4,
    attentionFlops: 4 * 4 * 50 * 64,
  });
  const reading = (cost.weightBytes + cost.cacheBytes) / 1e9;
  expect(leastSeconds(cost, { bytesPerSecond: 1e9, flopsPerSecond: 1e15 })).toBeCloseTo(reading);
  const computing = (cost.matmulFlops + cost.attentionFlops) / 1e6;
  expect(leastSeconds(cost, { bytesPerSecond: 1e15, flopsPerSecond: 1e6 })).toBeCloseTo(computing);
});

test("tokens of prompts have no logits", () => {
  const shape = shapes["llama-8b"];
  const seen = { promptVisible: 10, drawnVisible: 30 };
  const drawn = judgingFlops(shape, { prompt: 0, drawn: 3, ...seen });
  const step = stepCost(shape, "f32", { rows: 3, cells: 0, visible: 30 });
  expect(drawn).toBe(step.matmulFlops + step.attentionFlops);
  const prompt = judgingFlops(shape, { prompt: 3, drawn: 0, ...seen });
  const attention = 4 * 20 * 3 * shape.layers * shape.heads * shape.headSize;
  expect(drawn - prompt).toBe(2 * 3 * shape.embedding * shape.vocabulary.size + attention);
  expect(judgingFlops(shape, { prompt: 3, drawn: 3, ...seen })).toBe(drawn + prompt);
});

test("an embedding of its own is looked up, not multiplied", () => {
  const tied = stepCost({ ...shapes["llama-8b"], tied: true }, "f16", { rows: 1, cells: 0, visible: 0 });
  const untied = stepCost(shapes["llama-8b"], "f16", { rows: 1, cells: 0, visible: 0 });
  expect(untied).toEqual(tied);
});
