import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Benchmark, JudgedItem } from "./benchmark.js";
import { priorSets } from "./benchmarks/rewardbench.js";
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

type KeptItem = Pick<JudgedItem, "id" | "subset" | "credit" | "tally">;

/**
 * `results/eval-set/<model>.json`: accuracy of each subset, with model and model_type.
 * `results/eval-set-scores/<model>.json`: columns with one entry for each item: id, subset, results (what it is worth), and
 * the mean scores, as scores_chosen and scores_rejected in version 1, as lists `scores` in version 2.
 * The prior sets of version 1 have the same two files in `pref-sets` and `pref-sets-scores`.
 */
class RewardBenchFiles implements ResultFiles {
  readonly #items: KeptItem[] = [];
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
    const isPrior = ({ subset }: KeptItem) => priorSets.includes(subset);
    const sets = {
      "eval-set": this.#items.filter((item) => !isPrior(item)),
      "pref-sets": this.#items.filter(isPrior),
    };
    for (const [set, items] of Object.entries(sets)) {
      if (items.length === 0) continue;
      await this.#writeJson(folder, set, model, { ...this.#accuracies(items), ...about });
      await this.#writeJson(folder, `${set}-scores`, model, { ...this.#columns(items), ...about });
    }
  }

  #accuracies(kept: readonly KeptItem[]): Record<string, number> {
    const sums = new Map<string, { sum: number; items: number }>();
    for (const { subset, credit } of kept) {
      const known = sums.get(subset) ?? { sum: 0, items: 0 };
      sums.set(subset, known);
      known.items++;
      known.sum += credit ?? 0; // an item without a vote is wrong, as the authors' tools count it
    }
    const accuracies = Object.fromEntries([...sums].map(([subset, { sum, items }]) => [subset, sum / items]));
    const ties = this.#aggregator.scores().find(({ name }) => name === "Ties")?.value;
    return ties === undefined || ties === null ? accuracies : { ...accuracies, Ties: ties };
  }

  #columns(kept: readonly KeptItem[]): Record<string, unknown> {
    const means = kept.map(({ tally }) => tally.means);
    const scores =
      this.benchmark.name === "rewardbench2"
        ? { scores: means }
        : {
            scores_chosen: means.map(([chosen]) => chosen),
            scores_rejected: means.map(([, rejected]) => rejected),
          };
    return {
      id: kept.map(({ id }) => (this.benchmark.name === "rewardbench" ? id.slice(id.indexOf("/") + 1) : id)),
      subset: kept.map(({ subset }) => subset),
      results: kept.map(({ credit }) => credit ?? 0),
      ...scores,
    };
  }

  async #writeJson(folder: string, kind: string, model: string, content: unknown): Promise<void> {
    const path = join(folder, "results", kind, `${model.replace(/\.\.+/g, ".")}.json`);
    await mkdir(dirname(path), { recursive: true });
    await writeWhole(path, `${JSON.stringify(content)}\n`);
  }
}
