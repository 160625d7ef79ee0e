// node-llama-cpp: eight sequences decode at the same time; each draws its samples one after the other and keeps its prompt
// (the fastest of the forms tried on two cores: 32 sequences, 8 sequences, one). Run as a child it serves the tasks below.
import { fileURLToPath, pathToFileURL } from "node:url";
import { nodeLlamaModule } from "../peers/build.mjs";
import { Child, serve } from "./child.mjs";

const self = fileURLToPath(import.meta.url);
const sequencesAtOnce = 8;

export class NodeLlamaCpp {
  name = "node-llama-cpp";
  #child = new Child(self);

  start({ model, threads, promptTokens, maxTokens }) {
    return this.#child.call("load", { model, threads, contextSize: promptTokens + maxTokens + 8 });
  }

  judge({ prompts, sampling, k, maxTokens, seed }) {
    const plain = prompts.map((prompt) => [...prompt]);
    return this.#child.call("judge", { prompts: plain, sampling, k, maxTokens, seed });
  }

  stop() {
    this.#child.stop();
  }
}

if (process.argv[1] === self) {
  let sequences;

  async function load({ model: modelPath, threads, contextSize }) {
    const { getLlama } = await import(pathToFileURL(nodeLlamaModule()).href);
    const llama = await getLlama({ gpu: false, build: "never", logLevel: "error", maxThreads: threads });
    const model = await llama.loadModel({ modelPath });
    const context = await model.createContext({
      sequences: sequencesAtOnce,
      contextSize,
      threads: { ideal: threads, min: threads },
    });
    sequences = Array.from({ length: sequencesAtOnce }, () => context.getSequence());
    return {};
  }

  async function drawSamples(sequence, prompt, count, { sampling, maxTokens, seed }) {
    let tokens = 0;
    await sequence.clearHistory();
    for (let sample = 0; sample < count; sample++) {
      const { temperature, topK } = sampling;
      const options = { temperature, topK, topP: 1, minP: 0, seed: seed + sample, yieldEogToken: true };
      const kept = prompt.length - 1;
      if (sample > 0) await sequence.eraseContextTokenRanges([{ start: kept, end: sequence.nextTokenIndex }]);
      const fresh = sample === 0 ? prompt : prompt.slice(kept);
      let drawn = 0;
      for await (const _ of sequence.evaluate(fresh, options)) {
        if (++drawn === maxTokens) break;
      }
      tokens += drawn;
    }
    return tokens;
  }

  async function judge({ prompts, k, seed, ...rest }) {
    const start = performance.now();
    const shares = sequences.map((_, index) => Math.ceil((k - index) / sequences.length));
    const tokens = await Promise.all(
      sequences.map((sequence, index) =>
        drawSamples(sequence, prompts[index % prompts.length], shares[index], {
          ...rest,
          seed: seed + 1000 * index,
        }),
      ),
    );
    const seconds = (performance.now() - start) / 1000;
    return { seconds, tokens: tokens.reduce((sum, count) => sum + count, 0) };
  }

  serve({ load, judge });
}
