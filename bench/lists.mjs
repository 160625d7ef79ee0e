// Prompt tokens of lists: node bench/lists.mjs [words of a response] [samples]
// Lists of 4 to 7 responses, judged on a small model with random weights in the orderings that Grm chooses. Prints the prompt tokens
// that went through the model, beside a whole prompt for each sample and one for each ordering.
import { randomModel } from "../dist/bench/random_model.js";
import { makeQuery } from "../dist/bench/workload.js";
import { Grm } from "../dist/judge.js";

const [responseWords = 800, k = 32] = process.argv.slice(2).map(Number);
const contextTokens = 65_536;
const grm = await Grm.load({ model: await randomModel("qwen3-0.1b", "q8_0"), meta: null, contextTokens });
try {
  for (const responses of [4, 5, 6, 7]) {
    const query = makeQuery({ queryWords: 50, responseWords, responses }, 1);
    const { usage, samples } = await grm.judge(query, { k, maxTokens: 2 });
    const { promptTokens, promptTokensComputed: computed } = usage;
    const orderings = new Set(samples.map(({ order }) => order.join())).size;
    const oneEach = Math.round((promptTokens / k) * orderings);
    console.log(
      `n = ${responses}, k = ${k}, ${orderings} orderings: ${computed} of ${promptTokens} prompt tokens computed, ${(promptTokens / computed).toFixed(2)} times fewer; a prompt for each ordering: ${oneEach}`,
    );
  }
} finally {
  await grm.close();
}
