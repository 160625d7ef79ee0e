import type { Benchmark, Score } from "../eval/benchmark.js";
import type { Comparison } from "../eval/compare.js";
import type { MeasuredFigures, Metrics } from "../eval/evaluation.js";
import type { Estimate, Interval } from "../eval/statistics.js";
import { printable, styler, type Terminal } from "./terminal.js";

type Layout = Pick<Terminal, "width" | "color">;

/** What was measured, for people: the benchmark's scores, subsets, the curve and what to be wary of. */
export function formatMetrics(
  metrics: Metrics,
  comparison: Comparison | undefined,
  benchmark: Benchmark,
  layout: Layout,
): string {
  const paint = styler(layout);
  const sections = [
    [paint("bold", `${benchmark.title}: ${benchmark.metric}`), ...metrics.scores.map(formatScore)],
    [paint("bold", "By subset".padEnd(30) + "items   accuracy".padStart(18)), ...formatSubsets(metrics)],
    [paint("bold", "By samples"), ...formatCurve(metrics)],
    [paint("bold", "To be wary of"), ...formatCaveats(metrics)],
  ];
  if (comparison !== undefined)
    sections.push([paint("bold", "Against the other"), ...formatComparison(comparison)]);
  return sections.map((lines) => lines.join("\n")).join("\n\n");
}

function formatScore({ name, value, interval, items }: Score): string {
  return `  ${printable(name).padEnd(28)}${percent(value).padStart(8)}  ${range(interval).padEnd(16)}${items} items`;
}

function formatSubsets({ bySubset, ...all }: Metrics): string[] {
  const row = (name: string, { items, accuracy, accuracyInterval }: MeasuredFigures) =>
    `  ${printable(name).slice(0, 28).padEnd(28)}${String(items).padStart(7)}  ${percent(accuracy).padStart(8)}  ${range(accuracyInterval)}`;
  return [...Object.entries(bySubset).map(([name, figures]) => row(name, figures)), row("all", all)];
}

function formatCurve({ curve }: Metrics): string[] {
  return curve.map(({ k, meta, accuracy, interval }) => {
    const name = `k = ${k}${meta ? ", meta RM" : ""}`;
    return `  ${name.padEnd(28)}${percent(accuracy).padStart(8)}  ${range(interval)}`;
  });
}

function formatCaveats({
  validity,
  skipped,
  ties,
  tiePolicies,
  bias,
  agreement,
  everyPair,
}: Metrics): string[] {
  const { consistency, firstShown } = bias.position;
  const lines: [string, string][] = [
    [
      "samples without scores",
      `${validity.invalid} of ${validity.samples} (${percent(validity.invalidShare)})`,
    ],
    ["… that open as a refusal", percent(validity.refusals.value)],
    ["items without a vote", skipped === 0 ? "0" : `${skipped}, left out by subset`],
    [
      "tied votes",
      `${ties}; ties lose ${percent(tiePolicies.lose.accuracy)}, share ${percent(tiePolicies.share.accuracy)}, drawn ${percent(tiePolicies.random.accuracy)}`,
    ],
    ["same choice in both orders", `${percent(consistency.value)} ${range(consistency.interval)}`],
    ["choose the first shown", `${percent(firstShown.value)} ${range(firstShown.interval)}`],
    ["points per doubled length", decimal(bias.length.slope)],
    ["points per doubled markup", decimal(bias.style.slope)],
    ["kappa among samples", decimal(agreement.amongSamples)],
  ];
  if (everyPair.count > 0)
    lines.push(["right wins each of its pairs", `${percent(everyPair.value)} ${range(everyPair.interval)}`]);
  return lines.map(([name, value]) => `  ${name.padEnd(28)}${value}`);
}

function formatComparison(comparison: Comparison): string[] {
  const { items, accuracy, otherAccuracy, difference, differenceInterval, onlyThis, onlyOther, p } =
    comparison;
  return [
    `  ${"accuracy".padEnd(28)}${percent(accuracy)} against ${percent(otherAccuracy)} on ${items} items`,
    `  ${"difference".padEnd(28)}${percent(difference)} ${range(differenceInterval)}`,
    `  ${"only one is right".padEnd(28)}${onlyThis} against ${onlyOther}, McNemar p = ${p.toPrecision(3)}`,
  ];
}

function percent(value: number | null): string {
  return value === null ? "-" : `${(100 * value).toFixed(2)}%`;
}

function range(interval: Interval | null): string {
  return interval === null ? "" : `${(100 * interval[0]).toFixed(1)} to ${(100 * interval[1]).toFixed(1)}`;
}

function decimal({ value, interval }: Estimate): string {
  if (value === null) return "-";
  return `${value.toFixed(3)}${interval === null ? "" : ` (${interval[0].toFixed(3)} to ${interval[1].toFixed(3)})`}`;
}
