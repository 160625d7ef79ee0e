// One model with its contenders: who is started, with how many cells, and what they are given.
import { availableParallelism } from "node:os";
import { randomModel } from "../dist/bench/random_model.js";
import { chatTemplates, shapes } from "../dist/bench/shapes.js";
import { makeQuery, promptPieces, turnedOrders } from "../dist/bench/workload.js";
import { loadAddon } from "../dist/native.js";
import { LlamaServer } from "./contenders/llama_server.mjs";
import { NodeLlamaCpp } from "./contenders/node_llama_cpp.mjs";
import { Spct } from "./contenders/spct.mjs";

export const topK40 = { temperature: 1, topK: 40, topP: 1, minP: 0, order: "temperature-first" };
export const pure = { ...topK40, topK: 0 };

export class Setting {
  #open = [];
  #vocabulary;

  static async of(shape, type, threads = availableParallelism()) {
    const model = await randomModel(shape, type);
    const setting = new Setting(shape, type, model, threads);
    setting.#vocabulary = await loadAddon().loadVocabulary(model);
    return setting;
  }

  constructor(shape, type, model, threads) {
    this.shape = shape;
    this.type = type;
    this.model = model;
    this.threads = threads;
  }

  /** What every contender is asked: the query for spct, its prompts in tokens for the others. */
  async work(workload, seed, sampling) {
    const query = makeQuery(workload, seed);
    const orders = turnedOrders(workload);
    const { k, maxTokens } = workload;
    return { query, orders, prompts: await this.prompts(query, orders), k, maxTokens, seed, sampling };
  }

  async prompts(query, orders) {
    const pieces = await promptPieces(chatTemplates[shapes[this.shape].architecture], query, orders);
    return Promise.all(pieces.map((prompt) => this.#vocabulary.tokenize(prompt)));
  }

  /** The ways in which spct multiplies on this machine: with llama.cpp's kernels, and with packed weights where it can. */
  get packings() {
    const { available } = loadAddon().systemInfo().gemm;
    return [
      { packedWeights: "off", spct: "spct", suffix: "" },
      ...(available ? [{ packedWeights: "on", spct: "spct, packed weights", suffix: "-packed" }] : []),
    ];
  }

  /** With llama.cpp's kernels for products and attention. */
  get plain() {
    return {
      packedWeights: "off",
      sharedAttention: false,
      spct: "spct, llama.cpp's kernels",
      suffix: "-llama.cpp-kernels",
    };
  }

  /** packedWeights: "on" or "off"; what "auto" chooses depends on the moment. */
  async spct({ packedWeights, maxSequences = 64, ...options }, environment = {}) {
    if (!["on", "off"].includes(packedWeights)) {
      throw new TypeError(`Expected "on" or "off" for packedWeights but received ${packedWeights}`);
    }
    const contender = this.#keep(new Spct(environment));
    const { model, threads } = this;
    await contender.start({ model, threads, packedWeights, maxSequences, ...options });
    return contender;
  }

  async server({ contextTokens, parallel }) {
    const contender = this.#keep(new LlamaServer());
    await contender.start({ model: this.model, threads: this.threads, contextTokens, parallel });
    return contender;
  }

  async nodeLlama({ promptTokens: longest, maxTokens }) {
    const contender = this.#keep(new NodeLlamaCpp());
    await contender.start({ model: this.model, threads: this.threads, promptTokens: longest, maxTokens });
    return contender;
  }

  stop() {
    for (const contender of this.#open.splice(0)) contender.stop();
  }

  #keep(contender) {
    this.#open.push(contender);
    return contender;
  }
}

export function roundUp(cells) {
  return Math.ceil(cells / 256) * 256;
}
