import type { Comparison } from "../compare.js";
import type { MeasuredFigures, Metrics } from "../evaluation.js";
import type { Estimate, Interval } from "../statistics.js";

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
      "As spct vote counts: items without a vote are in no other figure here. The AUC tells right from wrong responses by their mean score.",
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
    caption: `${ties} votes are tied at the top. Accuracy, if such votes`,
    columns: ["policy", "accuracy", "95% interval"],
    rows: Object.entries(tiePolicies).map(([policy, { accuracy, interval }]) => [
      names[policy as keyof typeof names],
      percent(accuracy),
      range(interval),
    ]),
  };
}

function validityTable({ validity, missing, unknown, bad, skipped }: Metrics): Table {
  const { refusals } = validity;
  const count = ({ value, count: of }: Estimate) => (value === null ? "–" : String(Math.round(value * of)));
  const rows = [
    ["samples", String(validity.samples), "", ""],
    [
      "samples without scores",
      String(validity.invalid),
      percent(validity.invalidShare),
      range(validity.interval),
    ],
    ...Object.entries(validity.reasons).map(([reason, count]) => [`… ${reason}`, String(count), "", ""]),
    ["… that open as a refusal", count(refusals), percent(refusals.value), range(refusals.interval)],
    ["single scores missing", String(validity.missingScores), "", ""],
    ["items without a vote", String(skipped), "", ""],
    ["items without a judgement", String(missing), "", ""],
    ["judgements without an item", String(unknown), "", ""],
    ["bad rows left out", String(bad.count), "", ""],
    ...bad.first.map(({ file, number, reason }) => [`… ${file}:${number}: ${reason}`, "", "", ""]),
  ];
  return {
    title: "What is missing",
    caption: "Of refusals: the share of the samples whose text is recorded.",
    columns: ["", "count", "share", "95% interval"],
    rows,
  };
}

function biasTable({ bias, agreement, margin, everyPair, items }: Metrics): Table {
  const { position, length, style } = bias;
  const shared = (name: string, { value, interval, count }: Estimate) => [
    name,
    percent(value),
    range(interval),
    String(count),
  ];
  const plain = (name: string, { value, interval, count }: Estimate) => [
    name,
    decimal(value),
    decimals(interval),
    String(count),
  ];
  const marginArea = { value: margin.auc, interval: margin.aucInterval, count: items };
  return {
    title: "Bias and agreement",
    caption:
      "A slope is the score points that go along with twice as many characters, or markdown marks. Balanced: both kinds of items weigh alike.",
    columns: ["", "value", "95% interval", "of"],
    rows: [
      shared("same choice in both orders", position.consistency),
      plain("where they differ: prefers the first (1) or the second place (-1)", position.preference),
      shared("samples that choose the first shown", position.firstShown),
      shared("samples right, right response shown first", position.accuracyRightFirst),
      shared("samples right, right response shown second", position.accuracyRightSecond),
      plain("slope of length", length.slope),
      shared("votes right, right response is the longest", length.accuracyRightMore),
      shared("votes right, right response is the shortest", length.accuracyRightLess),
      shared("votes right, balanced by length", length.accuracyBalanced),
      shared("right response is the longest, in the data", length.rightHasMore),
      plain("slope of markup", style.slope),
      shared("votes right, right response has the most markup", style.accuracyRightMore),
      shared("votes right, right response has the least markup", style.accuracyRightLess),
      shared("votes right, balanced by markup", style.accuracyBalanced),
      ...(everyPair.count === 0 ? [] : [shared("right response wins each of its pairs", everyPair)]),
      plain("kappa of the vote with the label", agreement.withLabel),
      plain("kappa of two samples of an item", agreement.amongSamples),
      plain("kappa of two samples in the same order", agreement.sameOrder),
      plain("standard deviation of a response's scores", agreement.scoreDeviation),
      plain("AUC of the margin for being right", marginArea),
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
  const { items, difference, onlyThis, onlyOther, p, kappa, kappaInterval } = comparison;
  return {
    title: "Against the other judge",
    caption: `On the ${items} items that both decided. Counts, p (exact McNemar test) and kappa leave out items in which one of the two is tied.`,
    columns: ["", "value", "95% interval"],
    rows: [
      ["accuracy", percent(comparison.accuracy), range(comparison.accuracyInterval)],
      ["accuracy of the other", percent(comparison.otherAccuracy), range(comparison.otherAccuracyInterval)],
      ["difference", percent(difference), range(comparison.differenceInterval)],
      ["only this one is right", String(onlyThis), ""],
      ["only the other is right", String(onlyOther), ""],
      ["p", p.toPrecision(3), ""],
      ["kappa of being right", decimal(kappa), decimals(kappaInterval)],
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

function decimals(interval: Interval | null): string {
  return interval === null ? "–" : `${decimal(interval[0])} to ${decimal(interval[1])}`;
}
