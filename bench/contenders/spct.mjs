// spct itself, through its public interface. Run as a child it serves the tasks below.
import { monitorEventLoopDelay } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import { timeGroup } from "../../dist/bench/group.js";
import { Grm } from "../../dist/judge.js";
import { loadAddon } from "../../dist/native.js";
import { Child, serve } from "./child.mjs";

const self = fileURLToPath(import.meta.url);

export class Spct {
  name = "spct";
  #child = new Child(self);

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

  stop() {
    this.#child.stop();
  }
}

if (process.argv[1] === self) {
  let grm;
  let loadOptions;
  let insideEngine = 0; // milliseconds of the last request: submission to last sample, without our own callbacks

  const addon = loadAddon();
  const load = addon.loadEngine;
  addon.loadEngine = async (options) => watched(await load(options));

  /** The engine with a clock around its requests. */
  function watched(native) {
    const submit = (group, onSample) => {
      const start = performance.now();
      let inCallbacks = 0;
      return native.submit(group, (event) => {
        const arrived = performance.now();
        insideEngine = arrived - start - inCallbacks;
        onSample(event);
        inCallbacks += performance.now() - arrived;
      });
    };
    return new Proxy(native, {
      get(target, name) {
        if (name === "submit") return submit;
        const value = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  }

  const tasks = {
    async load({ options }) {
      loadOptions = options;
      grm = await Grm.load(options);
      return {};
    },
    async judge({ query, options }) {
      const delay = monitorEventLoopDelay({ resolution: 1 });
      delay.enable();
      const start = performance.now();
      const { usage, samples } = await grm.judge(query, options);
      const milliseconds = performance.now() - start;
      delay.disable();
      return {
        seconds: milliseconds / 1000,
        tokens: usage.generatedTokens,
        promptTokens: usage.promptTokens,
        promptTokensComputed: usage.promptTokensComputed,
        whole: samples.every(({ finish }) => finish === "length"),
        overheadMilliseconds: milliseconds - insideEngine,
        eventLoopDelayMilliseconds: delay.percentile(99) / 1e6,
      };
    },
    async judgeMany({ queries, options }) {
      const start = performance.now();
      let tokens = 0;
      for await (const { usage } of grm.judgeMany(queries, options)) tokens += usage.generatedTokens;
      return { seconds: (performance.now() - start) / 1000, tokens };
    },
    async decode({ prompt, k, maxTokens, sampling, seed }) {
      const { model, ...options } = loadOptions;
      const engine = await load({ modelPath: model, ...options });
      try {
        return await timeGroup(engine, {
          prompts: [Int32Array.from(prompt)],
          samples: Array.from({ length: k }, (_, index) => ({ prompt: 0, seed: seed + index })),
          maxTokens,
          ...sampling,
        });
      } finally {
        await engine.close();
      }
    },
  };
  serve(tasks);
}
