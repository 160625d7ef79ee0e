import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Benchmark } from "../benchmark.js";
import type { Comparison } from "../compare.js";
import type { Metrics } from "../evaluation.js";
import { writeWhole } from "../run_folder.js";
import type { Browser } from "./browser.js";
import { drawCharts } from "./charts.js";
import { toMarkdown } from "./markdown.js";
import { toPage } from "./page.js";
import { percent, range, tablesOf } from "./tables.js";

export interface ReportInput {
  metrics: Metrics;
  comparison: Comparison | undefined;
  benchmark: Benchmark;
  judge: string;
  browser: Browser;
  /** Without it only metrics.json is written. */
  report: boolean;
}

/** Writes metrics.json, report.html, report.md and charts/*.svg into a folder. */
export async function writeReport(folder: string, input: ReportInput): Promise<void> {
  const { metrics, comparison, benchmark, judge, browser } = input;
  await mkdir(join(folder, "charts"), { recursive: true });
  const figures = comparison === undefined ? metrics : { ...metrics, comparison };
  await writeWhole(join(folder, "metrics.json"), `${JSON.stringify(figures, null, 2)}\n`);
  if (!input.report) return;
  const title = `${judge} on ${benchmark.title}`;
  const lead = leadOf(metrics, benchmark);
  const tables = tablesOf(metrics, comparison);
  const charts = await drawCharts(metrics);
  for (const { name, svg } of charts) await writeWhole(join(folder, "charts", `${name}.svg`), `${svg}\n`);
  await writeWhole(join(folder, "report.md"), toMarkdown(title, lead, tables, charts));
  await writeWhole(join(folder, "report.html"), toPage(title, lead, tables, charts, browser));
}

function leadOf({ scores, items, k }: Metrics, { metric }: Benchmark): string {
  const [headline] = scores;
  if (headline === undefined || headline.value === null)
    return `${items} items, nothing to score. ${metric}.`;
  const value = `${percent(headline.value)} (${range(headline.interval)})`;
  return `${headline.name}: ${value} on ${items} items with up to ${k} samples each. The score is the ${metric}.`;
}
