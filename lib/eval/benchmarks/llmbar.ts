import { basename } from "node:path";
import { Credits, countScore, decisionsByOrder } from "../aggregate.js";
import type { Aggregator, Benchmark } from "../benchmark.js";
import { BadRow, describe, text } from "../fields.js";
import type { Row } from "../rows.js";

/** Rows: input, output_1, output_2, label (1 or 2). The set is named by the file. */
export const llmBar: Benchmark = {
  name: "llmbar",
  title: "LLMBar",
  source: "https://github.com/princeton-nlp/LLMBar (Dataset/LLMBar/*/dataset.json)",
  published: [
    { site: "github", repository: "princeton-nlp/LLMBar", files: /^Dataset\/LLMBar\/.*dataset\.json$/ },
  ],
  metric: "accuracy averaged over both orders; a tie counts one half, a verdict that cannot be read nothing",
  items(row) {
    const subset = setOf(row);
    return [
      {
        id: `${subset}/${row.number - 1}`,
        subset,
        query: text(row, "input"),
        responses: [text(row, "output_1"), text(row, "output_2")],
        label: labelOf(row),
      },
    ];
  },
  aggregator: llmBarAggregator,
};

/** `…/LLMBar/Adversarial/Manual/dataset.json` and `LLMBar__Adversarial__Manual.json` are both Adversarial/Manual. */
function setOf({ file }: Row): string {
  const path = file.replace(/(\/dataset)?\.jsonl?(\.gz)?$/, "").replaceAll("__", "/");
  return /(?:^|\/)LLMBar\/(.+)$/.exec(path)?.[1] ?? basename(path);
}

function labelOf({ value: { label } }: Row): number {
  if (label === undefined || label === null) throw new BadRow("no label: the column label is missing");
  if (label !== 1 && label !== 2)
    throw new BadRow(`expected 1 or 2 for label but received ${describe(label)}`);
  return label - 1;
}

export function llmBarAggregator(): Aggregator {
  const credits = new Credits();
  const orders = { agree: 0, items: 0 };
  return {
    add(item) {
      const right = item.correct?.[0];
      if (right === undefined || item.samples.length === 0) return;
      const decisions = [...decisionsByOrder(item).values()];
      const points = decisions.map((decision) => (decision === "tie" ? 0.5 : decision === right ? 1 : 0));
      credits.add(item.subset, points.reduce<number>((sum, point) => sum + point, 0) / points.length);
      // As published, two orders that end alike agree, also where both verdicts cannot be read.
      if (decisions.length !== 2) return;
      orders.items++;
      if (decisions[0] === decisions[1] && decisions[0] !== "tie") orders.agree++;
    },
    scores: () => [
      credits.total("average accuracy"),
      ...credits.subsets().map((name) => credits.score(name)),
      countScore("positional agreement", orders.agree, orders.items),
    ],
  };
}
