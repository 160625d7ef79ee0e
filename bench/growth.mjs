// How the time of judging grows with the samples, the responses, the prompt and the queries, for spct and llama-server (n_cmpl);
// beside it the floating-point operations a second of spct, of the products and the attention of all tokens that went through
// the model: where these fall, cost grows faster than the work.
import { judgingFlops } from "../dist/bench/cost.js";
import { shapes } from "../dist/bench/shapes.js";
import { spreadOf } from "../dist/bench/spread.js";
import { makeQuery, turnedOrders } from "../dist/bench/workload.js";
import { inRounds } from "./rounds.mjs";
import { pure, roundUp } from "./setting.mjs";

const base = { queryWords: 50, responseWords: 50, responses: 2, orderings: 2, k: 8, maxTokens: 32 };

/** With more than these llama-server would take most of the run. */
const mostOfPeer = { queries: 4, promptTokens: 5000 };

/** What is longer than this needs no round that warms up. */
const longEnough = { queries: 16, promptTokens: 3000 };

/** Measured workloads, by what grows. Many queries have short answers, so that 256 of them take minutes. A prompt has about 720
 * tokens of template around its words. */
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
      const { seconds, flops } = await measurePoint(setting, { ...base, ...changes }, queries, limits);
      for (const [contender, times] of Object.entries(seconds)) {
        const figures = spreadOf(times);
        const own = contender === "spct" && { gigaflopsPerSecond: flops / figures.median / 1e9 };
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
    packedWeights: setting.packings.at(-1).packedWeights,
  });
  const exceeds = (limit) => queries > limit.queries || longest > limit.promptTokens;
  const server =
    !exceeds(mostOfPeer) &&
    (await setting.server({
      contextTokens: contextTokens + roundUp(orderings * longest),
      parallel: Math.max(8, k),
    }));
  const many = (seed) => Array.from({ length: queries }, (_, index) => makeQuery(workload, seed + index));
  const orders = turnedOrders(workload);
  const common = { k, maxTokens, sampling: pure };
  const drawn = queries * k * maxTokens;
  let prompt;
  const askServer = async (asked, seed) => {
    const prompts = await Promise.all(asked.map((query) => setting.prompts(query, orders)));
    const start = performance.now();
    const answers = await Promise.all(
      prompts.map((tokens, index) =>
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
  };
  const contenders = {
    spct: async (seed) => {
      const judged = await spct.judgeMany({ queries: many(seed), orders, seed, ...common });
      prompt = judged.throughModel - judged.tokens;
      return judged;
    },
    ...(server && { "llama-server n_cmpl": (seed) => askServer(many(seed), seed) }),
  };
  try {
    const slow = exceeds(longEnough) ? Object.keys(contenders) : [];
    const seconds = await inRounds(contenders, { ...limits(), tokens: drawn, slow });
    const flops = judgingFlops(shapes[setting.shape], {
      prompt,
      drawn,
      promptVisible: meanVisible(prompts),
      drawnVisible: prompts[0].length + maxTokens / 2,
    });
    return { seconds, flops };
  } finally {
    setting.stop();
  }
}

/** Cells that a token of a query's prompts sees, each token computed once. */
function meanVisible(prompts) {
  let tokens = 0;
  let cells = 0;
  for (const [index, prompt] of prompts.entries()) {
    const shared = Math.max(0, ...prompts.slice(0, index).map((other) => sharedLength(prompt, other)));
    tokens += prompt.length - shared;
    cells += ((prompt.length - shared) * (prompt.length + shared + 1)) / 2;
  }
  return cells / tokens;
}

function sharedLength(one, other) {
  const differing = one.findIndex((token, position) => token !== other[position]);
  return differing < 0 ? one.length : differing;
}
