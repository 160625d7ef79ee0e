import { basename, dirname } from "node:path";
import { AucSample } from "../auc.js";
import type { Aggregator, Benchmark, Score } from "../benchmark.js";
import { BadRow, conversation, describe, text } from "../fields.js";
import type { Row } from "../rows.js";
import { type Interval, mean } from "../statistics.js";

/** Rows: input, llm_response, label (or error_label): error or no_error. A cell is a task (the folder) with the model whose
 * responses are judged. */
export const realMistake: Benchmark = {
  name: "realmistake",
  title: "ReaLMistake",
  source:
    "https://github.com/psunlpgroup/ReaLMistake (data.zip) or https://huggingface.co/datasets/ryokamoi/realmistake",
  published: [], // in an encrypted archive, which its authors ask to keep so
  metric: "ROC-AUC of a single response's score against having no error, pooled",
  items(row) {
    const cell = cellOf(row);
    return [
      {
        id: `${cell}/${row.number}`,
        subset: cell,
        query: conversation(row, "input"),
        responses: [text(row, "llm_response")],
        label: hasNoError(row) ? 0 : [],
      },
    ];
  },
  aggregator: realMistakeAggregator,
};

function hasNoError({ value }: Row): boolean {
  const given = value.error_label ?? value.label;
  if (given === undefined || given === null) throw new BadRow("no label: the column label is missing");
  if (given === "no_error") return true;
  if (given === "error") return false;
  throw new BadRow(`expected error or no_error for label but received ${describe(given)}`);
}

function cellOf({ file, value }: Row): string {
  const metadata = (value.metadata ?? {}) as Record<string, unknown>;
  const model = metadata.llm_response_model;
  const name = basename(file).replace(/(\.jsonl|\.json|\.parquet)(\.gz)?$/, "");
  return `${basename(dirname(file))}/${typeof model === "string" ? basename(model) : name}`;
}

function realMistakeAggregator(): Aggregator {
  const pooled = new AucSample();
  const cells = new Map<string, AucSample>();
  return {
    add({ subset, tally, correct }) {
      if (tally.scores === null || correct === null) return;
      const cell = cells.get(subset) ?? new AucSample();
      cells.set(subset, cell);
      for (const sample of [cell, pooled]) sample.add(tally.means as number[], correct);
    },
    scores() {
      const named = [...cells].sort(([left], [right]) => (left < right ? -1 : 1));
      return [
        aucScore("ROC-AUC pooled", pooled),
        meanOfCells([...cells.values()]),
        ...named.map(([name, sample]) => aucScore(name, sample)),
      ];
    },
  };
}

function aucScore(name: string, sample: AucSample): Score {
  return { name, value: sample.area(), interval: sample.interval(), items: sample.items };
}

/** A cell with one class only has no area and is left out. */
function meanOfCells(cells: readonly AucSample[]): Score {
  const usable = cells.filter((cell) => cell.area() !== null);
  const items = usable.reduce((sum, cell) => sum + cell.items, 0);
  const value = usable.length === 0 ? null : mean(usable.map((cell) => cell.area()!));
  // The cells are independent, so the variances of their areas add up.
  const halves = usable
    .map((cell) => cell.interval())
    .map((ends) => (ends === null ? 0 : (ends[1] - ends[0]) / 2));
  const spread = Math.hypot(...halves) / usable.length;
  const interval: Interval | null =
    value === null ? null : [Math.max(0, value - spread), Math.min(1, value + spread)];
  return { name: "ROC-AUC mean of cells", value, interval, items };
}
