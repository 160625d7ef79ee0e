import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Benchmark, JudgedItem } from "./benchmark.js";
import { writeWhole } from "./run_folder.js";

/** Collects items and writes them as the authors' own tools do. */
export interface ResultFiles {
  add(item: JudgedItem): void;
  /** Writes below `folder`/results. */
  write(folder: string, model: string): Promise<void>;
}

/** The result files of RewardBench 1 and 2; other benchmarks have none. */
export function resultFilesOf(benchmark: Benchmark): ResultFiles | undefined {
  return benchmark.name === "rewardbench" || benchmark.name === "rewardbench2"
    ? new RewardBenchFiles(benchmark)
    : undefined;
}

/**
 * `results/eval-set/<model>.json`: accuracy of each subset, with model and model_type.
 * `results/eval-set-scores/<model>.json`: columns with one entry for each item: id, subset, results (what it is worth), and
 * the mean scores, as scores_chosen and scores_rejected in version 1, as lists `scores` in version 2.
 */
class RewardBenchFiles implements ResultFiles {
  readonly #items: Pick<JudgedItem, "id" | "subset" | "credit" | "tally">[] = [];
  readonly #aggregator;

  constructor(private readonly benchmark: Benchmark) {
    this.#aggregator = benchmark.aggregator();
  }

  add(item: JudgedItem): void {
    const { id, subset, credit, tally } = item;
    this.#items.push({ id, subset, credit, tally });
    this.#aggregator.add(item);
  }

  async write(folder: string, model: string): Promise<void> {
    const about = { model, model_type: "Generative RM", chat_template: null };
    await this.#writeJson(folder, "eval-set", model, { ...this.#accuracies(), ...about });
    await this.#writeJson(folder, "eval-set-scores", model, { ...this.#columns(), ...about });
  }

  #accuracies(): Record<string, number> {
    const sums = new Map<string, { sum: number; items: number }>();
    for (const { subset, credit } of this.#items) {
      const known = sums.get(subset) ?? { sum: 0, items: 0 };
      sums.set(subset, known);
      known.items++;
      known.sum += credit ?? 0; // an item without a vote is wrong, as the authors' tools count it
    }
    const accuracies = Object.fromEntries([...sums].map(([subset, { sum, items }]) => [subset, sum / items]));
    const ties = this.#aggregator.scores().find(({ name }) => name === "Ties")?.value;
    return ties === undefined || ties === null ? accuracies : { ...accuracies, Ties: ties };
  }

  #columns(): Record<string, unknown> {
    const means = this.#items.map(({ tally }) => tally.means);
    const scores =
      this.benchmark.name === "rewardbench2"
        ? { scores: means }
        : {
            scores_chosen: means.map(([chosen]) => chosen),
            scores_rejected: means.map(([, rejected]) => rejected),
          };
    return {
      id: this.#items.map(({ id }) =>
        this.benchmark.name === "rewardbench" ? id.slice(id.indexOf("/") + 1) : id,
      ),
      subset: this.#items.map(({ subset }) => subset),
      results: this.#items.map(({ credit }) => credit ?? 0),
      ...scores,
    };
  }

  async #writeJson(folder: string, kind: string, model: string, content: unknown): Promise<void> {
    const path = join(folder, "results", kind, `${model.replace(/\.\.+/g, ".")}.json`);
    await mkdir(dirname(path), { recursive: true });
    await writeWhole(path, `${JSON.stringify(content)}\n`);
  }
}
