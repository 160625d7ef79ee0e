import { meanOfSubsetsAggregator } from "../aggregate.js";
import type { Benchmark } from "../benchmark.js";
import { BadRow, describe, text } from "../fields.js";

/** Rows: bias, instruction, response1, response2, label (1 or 2). One of the pair plays on the bias. */
export const evalBias: Benchmark = {
  name: "evalbias",
  title: "EvalBiasBench",
  source: "https://github.com/ncsoft/offsetbias (data/evalbiasbench/biasbench.json)",
  published: [
    { site: "github", repository: "ncsoft/offsetbias", files: /^data\/evalbiasbench\/biasbench\.json$/ },
  ],
  metric: "mean over the kinds of bias of the accuracy",
  items(row) {
    const subset = text(row, "bias");
    const { label } = row.value;
    if (label === undefined || label === null) throw new BadRow("no label: the column label is missing");
    if (label !== 1 && label !== 2)
      throw new BadRow(`expected 1 or 2 for label but received ${describe(label)}`);
    return [
      {
        id: `${subset}/${row.number}`,
        subset,
        query: text(row, "instruction"),
        responses: [text(row, "response1"), text(row, "response2")],
        label: label - 1,
      },
    ];
  },
  aggregator: () => meanOfSubsetsAggregator(),
};
