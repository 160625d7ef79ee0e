// How the time of judging grows with the samples, the responses, the prompt and the queries, for spct and llama-server (n_cmpl);
// beside it what spct took for each token that went through the model, prompts and answers: where this rises, cost grows
// faster than the work.
import { spreadOf } from "../dist/bench/spread.js";
import { makeQuery, turnedOrders } from "../dist/bench/workload.js";
import { inRounds } from "./rounds.mjs";
import { pure, roundUp } from "./setting.mjs";

const base = { queryWords: 50, responseWords: 50, responses: 2, orderings: 2, k: 8, maxTokens: 32 };

/** Measured workloads, by what grows. Many queries have short answers, so that 256 of them take minutes. A prompt has about 720 tokens of template around its words. */
const sweeps = {
  "samples k": [1, 2, 4, 8, 16, 32, 64, 128].map((k) => ({ x: k, k, orderings: Math.min(2, k) })),
  "responses n": [1, 2, 3, 4, 5, 6, 7, 8].map((n) => ({ x: n, responses: n, orderings: n })),
  "prompt tokens": [0, 300, 1300, 3300, 7300].map((words) => ({
    x: words + 720,
    queryWords: Math.max(10, words),
    responseWords: 10,
  })),
  queries: [1, 2, 4, 8, 16, 64, 256].map((queries) => ({ x: queries, queries, maxTokens: 8 })),
};

export async function growth(setting, limits, onPoint) {
  const rows = [];
  for (const [sweep, points] of Object.entries(sweeps)) {
    for (const { x, queries = 1, ...changes } of points) {
      onPoint?.(`${sweep} ${x}`);
      const { seconds, throughModel } = await measurePoint(setting, { ...base, ...changes }, queries, limits);
      for (const [contender, times] of Object.entries(seconds)) {
        const figures = spreadOf(times);
        const own = contender === "spct" && { millisecondsPerToken: (1000 * figures.median) / throughModel };
        rows.push({ sweep, x, contender, shape: setting.shape, ...figures, ...own });
      }
    }
  }
  return rows;
}

async function measurePoint(setting, workload, queries, limits) {
  const { k, maxTokens, orderings } = workload;
  const { prompts } = await setting.work(workload, 0, pure);
  const longest = Math.max(...prompts.map((prompt) => prompt.length)) + 64;
  const atOnce = Math.min(queries, 4);
  const contextTokens = roundUp(atOnce * (orderings * longest + k * maxTokens));
  const spct = await setting.spct({
    contextTokens,
    maxSequences: Math.max(64, Math.min(256, k + 2 * orderings)),
    packedWeights: "off", // one way of multiplying along a curve
  });
  const parallel = Math.max(8, k);
  const server = await setting.server({
    contextTokens: contextTokens + roundUp(orderings * longest),
    parallel,
  });
  const many = (seed) => Array.from({ length: queries }, (_, index) => makeQuery(workload, seed + index));
  const orders = turnedOrders(workload);
  const common = { k, maxTokens, sampling: pure };
  let throughModel;
  try {
    const seconds = await inRounds(
      {
        spct: async (seed) => {
          const judged = await spct.judgeMany({ queries: many(seed), orders, seed, ...common });
          throughModel = judged.throughModel;
          return judged;
        },
        "llama-server n_cmpl": async (seed) => {
          const asked = await Promise.all(many(seed).map((query) => setting.prompts(query, orders)));
          const start = performance.now();
          const answers = await Promise.all(
            asked.map((tokens, index) =>
              server.judge({
                prompts: tokens,
                seed: seed + 1000 * index,
                form: "n_cmpl",
                keepCache: true,
                ...common,
              }),
            ),
          );
          const tokens = answers.reduce((sum, answer) => sum + answer.tokens, 0);
          return { seconds: (performance.now() - start) / 1000, tokens };
        },
      },
      { ...limits(), tokens: queries * k * maxTokens },
    );
    return { seconds, throughModel };
  } finally {
    setting.stop();
  }
}
