import type { Comparison } from "../compare.js";
import type { MeasuredFigures, Metrics } from "../evaluation.js";
import type { Interval } from "../statistics.js";

/** A table of the report, for both forms of it. */
export interface Table {
  title: string;
  caption: string;
  columns: string[];
  rows: string[][];
}

export function tablesOf(metrics: Metrics, comparison: Comparison | undefined): Table[] {
  const tables = [scoreTable(metrics), subsetTable(metrics), curveTable(metrics), tieTable(metrics)];
  tables.push(validityTable(metrics), biasTable(metrics), principleTable(metrics));
  if (comparison !== undefined) tables.splice(1, 0, comparisonTable(comparison));
  return tables.filter(({ rows }) => rows.length > 0);
}

function scoreTable({ scores }: Metrics): Table {
  return {
    title: "Scores",
    caption: "As the benchmark's authors average them.",
    columns: ["score", "value", "95% interval", "items"],
    rows: scores.map(({ name, value, interval, items }) => [
      name,
      percent(value),
      range(interval),
      String(items),
    ]),
  };
}

function subsetTable({ bySubset, ...all }: Metrics): Table {
  const row = (name: string, figures: MeasuredFigures) => {
    const { items, skipped, labelled, ties, auc } = figures;
    return [
      name,
      percent(figures.accuracy),
      range(figures.accuracyInterval),
      ...[items, labelled, skipped, ties].map(String),
      auc === null ? "–" : auc.toFixed(4),
      range(figures.aucInterval),
    ];
  };
  return {
    title: "Subsets",
    caption:
      "Items without a vote are in no other figure. The AUC tells right from wrong responses by their mean score.",
    columns: [
      "subset",
      "accuracy",
      "95% interval",
      "items",
      "labelled",
      "no vote",
      "ties",
      "AUC",
      "95% interval",
    ],
    rows: [...Object.entries(bySubset).map(([name, figures]) => row(name, figures)), row("all", all)],
  };
}

function curveTable({ curve, scores }: Metrics): Table {
  const headline = scores[0]?.name ?? "accuracy";
  const own = headline === "accuracy" ? [] : [headline, "95% interval"];
  return {
    title: "Samples",
    caption: "Smaller k vote over an item's first samples.",
    columns: ["k", "vote", "accuracy", "95% interval", ...own, "tokens per item"],
    rows: curve.map((point) => [
      String(point.k),
      point.meta ? "half, by the meta RM" : "all",
      percent(point.accuracy),
      range(point.interval),
      ...(own.length === 0 ? [] : [percent(point.headline), range(point.headlineInterval)]),
      point.tokensPerItem === null ? "–" : Math.round(point.tokensPerItem).toString(),
    ]),
  };
}

function tieTable({ tiePolicies, ties }: Metrics): Table {
  const names = { lose: "count as wrong", share: "count their share", random: "are drawn" };
  return {
    title: "Ties",
    caption: `Votes that are tied at the top: ${ties}. Accuracy, if they`,
    columns: ["policy", "accuracy", "95% interval"],
    rows: Object.entries(tiePolicies).map(([policy, { accuracy, interval }]) => [
      names[policy as keyof typeof names],
      percent(accuracy),
      range(interval),
    ]),
  };
}

function validityTable({ validity, missing, unknown, bad, skipped }: Metrics): Table {
  const rows = [
    ["samples", String(validity.samples), ""],
    ["samples without scores", String(validity.invalid), percent(validity.invalidShare)],
    ...Object.entries(validity.reasons).map(([reason, count]) => [`… ${reason}`, String(count), ""]),
    ["single scores missing", String(validity.missingScores), ""],
    ["items without a vote", String(skipped), ""],
    ["items without a judgement", String(missing), ""],
    ["judgements without an item", String(unknown), ""],
    ["bad rows left out", String(bad.count), ""],
    ...bad.first.map(({ file, number, reason }) => [`… ${file}:${number}`, reason, ""]),
  ];
  return { title: "What is missing", caption: "", columns: ["", "count", "share"], rows };
}

function biasTable({ bias, agreement, margin, everyPair }: Metrics): Table {
  const { position, length, style } = bias;
  const shared = (
    name: string,
    { value, interval, count }: { value: number | null; interval: Interval | null; count: number },
  ) => [name, percent(value), range(interval), String(count)];
  const plain = (name: string, value: number | null, interval: Interval | null = null) => [
    name,
    decimal(value),
    interval === null ? "" : `${decimal(interval[0])} to ${decimal(interval[1])}`,
    "",
  ];
  return {
    title: "Bias and agreement",
    caption: "Slopes are score points for each doubling of a response's characters or markdown marks.",
    columns: ["", "value", "95% interval", "of"],
    rows: [
      shared("same choice in both orders", position.consistency),
      plain("preference for the first (1) or second (-1) place where they differ", position.preference),
      shared("samples that choose the first shown", position.firstShown),
      shared("samples right, right response shown first", position.accuracyRightFirst),
      shared("samples right, right response shown second", position.accuracyRightSecond),
      plain("slope of length", length.slope, length.interval),
      shared("votes right, right response is the longest", length.accuracyRightMore),
      shared("votes right, right response is the shortest", length.accuracyRightLess),
      shared("right response is the longest, in the data", length.rightHasMore),
      plain("slope of markup", style.slope, style.interval),
      shared("votes right, right response has the most markup", style.accuracyRightMore),
      shared("votes right, right response has the least markup", style.accuracyRightLess),
      ...(everyPair.count === 0 ? [] : [shared("right response wins each of its pairs", everyPair)]),
      plain("agreement with the label beyond chance", agreement.withLabel),
      plain("agreement among samples beyond chance", agreement.amongSamples),
      plain("AUC of the margin for being right", margin.auc),
    ],
  };
}

function principleTable({ texts }: Metrics): Table {
  return {
    title: "Principles",
    caption: "Those that the judge names most.",
    columns: ["principle", "times", "mean weight"],
    rows: texts.principles
      .slice(0, 20)
      .map(({ name, count, meanWeight }) => [
        name,
        String(count),
        meanWeight === null ? "–" : meanWeight.toFixed(1),
      ]),
  };
}

function comparisonTable(comparison: Comparison): Table {
  const { items, accuracy, otherAccuracy, difference, differenceInterval, onlyThis, onlyOther, p, kappa } =
    comparison;
  return {
    title: "Against the other judge",
    caption: `On the ${items} items that both decided. p is of the exact McNemar test.`,
    columns: ["", "value", "95% interval"],
    rows: [
      ["accuracy", percent(accuracy), ""],
      ["accuracy of the other", percent(otherAccuracy), ""],
      ["difference", percent(difference), range(differenceInterval)],
      ["only this one is right", String(onlyThis), ""],
      ["only the other is right", String(onlyOther), ""],
      ["p", p.toPrecision(3), ""],
      ["kappa of being right", decimal(kappa), ""],
    ],
  };
}

export function percent(value: number | null): string {
  return value === null ? "–" : `${(100 * value).toFixed(2)}%`;
}

export function range(interval: Interval | null): string {
  return interval === null ? "–" : `${(100 * interval[0]).toFixed(1)} to ${(100 * interval[1]).toFixed(1)}`;
}

function decimal(value: number | null): string {
  return value === null ? "–" : value.toFixed(3);
}
