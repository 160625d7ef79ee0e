// spct itself, through its public interface. Run as a child it serves the tasks below.
import { monitorEventLoopDelay } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import { timeGroup } from "../../dist/bench/group.js";
import { Grm } from "../../dist/judge.js";
import { loadAddon } from "../../dist/native.js";
import { Child, serve } from "./child.mjs";

const self = fileURLToPath(import.meta.url);
const tick = 1; // milliseconds between the event loop's turns that are watched

export class Spct {
  name = "spct";
  #child;

  constructor(environment = {}) {
    this.#child = new Child(self, environment);
  }

  start(options) {
    return this.#child.call("load", { options });
  }

  judge({ query, orders, sampling, k, maxTokens, seed }) {
    return this.#child.call("judge", {
      query,
      options: { k, orderings: orders, maxTokens, seed, ...sampling },
    });
  }

  judgeMany({ queries, orders, sampling, k, maxTokens, seed }) {
    const options = { k, orderings: orders, maxTokens, seed, ...sampling };
    return this.#child.call("judgeMany", { queries, options });
  }

  decode(argument) {
    return this.#child.call("decode", argument);
  }

  pause() {
    this.#child.pause();
  }

  resume() {
    this.#child.resume();
  }

  stop() {
    this.#child.stop();
  }
}

if (process.argv[1] === self) {
  let grm;
  let engine;
  let loadOptions;

  const addon = loadAddon();
  const load = addon.loadEngine;
  addon.loadEngine = async (options) => {
    engine = await load(options);
    return engine;
  };

  const tasks = {
    async load({ options }) {
      loadOptions = options;
      grm = await Grm.load(options);
      return {};
    },
    async judge({ query, options }) {
      const start = performance.now();
      const { usage } = await grm.judge(query, options);
      const end = performance.now();
      const { sinceFirstDecode, sinceLastDecode } = engine.stats();
      return {
        seconds: (end - start) / 1000,
        tokens: usage.generatedTokens,
        promptTokens: usage.promptTokens,
        promptTokensComputed: usage.promptTokensComputed,
        millisecondsToFirstDecode: performance.now() - sinceFirstDecode - start,
        millisecondsFromLastDecode: sinceLastDecode - (performance.now() - end),
      };
    },
    async judgeMany({ queries, options }) {
      const delay = monitorEventLoopDelay({ resolution: tick });
      delay.enable();
      const start = performance.now();
      let tokens = 0;
      const before = engine.stats().promptTokensComputed;
      for await (const { usage } of grm.judgeMany(queries, options)) tokens += usage.generatedTokens;
      const seconds = (performance.now() - start) / 1000;
      delay.disable();
      // What is recorded is the time from one tick to the next.
      const [median, p99, most] = [delay.percentile(50), delay.percentile(99), delay.max].map((ns) =>
        Math.max(0, ns / 1e6 - tick),
      );
      const throughModel = tokens + engine.stats().promptTokensComputed - before;
      return { seconds, tokens, throughModel, eventLoopMilliseconds: { median, p99, most } };
    },
    async decode({ prompt, k, maxTokens, sampling, seed }) {
      const { model, ...options } = loadOptions;
      const alone = await load({ modelPath: model, ...options });
      try {
        return await timeGroup(alone, {
          prompts: [Int32Array.from(prompt)],
          samples: Array.from({ length: k }, (_, index) => ({ prompt: 0, seed: seed + index })),
          maxTokens,
          ...sampling,
        });
      } finally {
        await alone.close();
      }
    },
  };
  serve(tasks);
}
