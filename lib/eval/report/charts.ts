import type { Spec } from "vega";
import type { TopLevelSpec } from "vega-lite";
import type { Metrics } from "../evaluation.js";
import { light } from "./palette.js";

export interface Chart {
  /** Of its file, without .svg. */
  name: string;
  title: string;
  caption: string;
  svg: string;
}

interface Plan {
  name: string;
  title: string;
  caption: string;
  rows: object[];
  spec: object;
}

const width = 420;
const height = 240;

/** Draws every chart that the metrics have numbers for. */
export async function drawCharts(metrics: Metrics): Promise<Chart[]> {
  const plans = [curve(metrics), cost(metrics), margins(metrics), abstention(metrics)];
  plans.push(scores(metrics), lengths(metrics), subsets(metrics));
  const [{ View, parse }, { compile }] = await Promise.all([import("vega"), import("vega-lite")]);
  const charts: Chart[] = [];
  for (const { rows, spec, ...about } of plans.filter((plan) => plan.rows.length > 0)) {
    const lite = {
      data: { values: rows },
      background: undefined,
      config,
      width,
      height,
      ...spec,
    } as unknown as TopLevelSpec;
    const view = new View(parse(compile(lite).spec as Spec), { renderer: "none" });
    charts.push({ ...about, svg: await view.toSVG() });
    view.finalize();
  }
  return charts;
}

const config = {
  background: null,
  font: "system-ui, sans-serif",
  view: { stroke: null },
  axis: {
    labelColor: light.muted,
    titleColor: light.ink,
    gridColor: light.grid,
    domainColor: light.muted,
    tickColor: light.muted,
    labelFontSize: 12,
    titleFontSize: 12,
    titleFontWeight: "normal",
  },
  legend: {
    labelColor: light.ink,
    titleColor: light.ink,
    labelFontSize: 12,
    orient: "top",
    title: null,
    labelLimit: 260,
    symbolOpacity: 1,
  },
  range: { category: [light.first, light.second, light.third] },
};

const accuracyAxis = { format: ".0%", title: "accuracy" };

function band(metrics: Metrics) {
  return metrics.curve
    .filter(({ accuracy }) => accuracy !== null)
    .map(({ k, meta, accuracy, interval, tokensPerItem }) => ({
      k,
      vote: meta ? "chosen by the meta RM" : "all samples",
      accuracy,
      low: interval![0],
      high: interval![1],
      tokens: tokensPerItem,
    }));
}

function curve(metrics: Metrics): Plan {
  const rows = band(metrics);
  const x = {
    field: "k",
    type: "quantitative",
    scale: { type: "log", base: 2 },
    axis: { title: "samples k", values: [...new Set(rows.map(({ k }) => k))], grid: false },
  };
  return {
    name: "curve",
    title: "More samples",
    caption: "Accuracy by the number of samples that vote, with 95% intervals.",
    rows,
    spec: {
      encoding: { x, color: { field: "vote", type: "nominal" } },
      layer: [
        {
          mark: { type: "area", opacity: 0.18 },
          encoding: { y: { field: "low", type: "quantitative" }, y2: { field: "high" } },
        },
        { mark: { type: "line", point: true, strokeWidth: 2 }, encoding: { y: percentOf("accuracy") } },
      ],
    },
  };
}

function cost(metrics: Metrics): Plan {
  const rows = band(metrics).filter(({ tokens }) => tokens !== null && tokens > 0);
  const isBest = ({ k, accuracy, vote }: (typeof rows)[number]) =>
    rows.every((other) => other.k !== k || other.vote === vote || other.accuracy! <= accuracy!) &&
    rows.find((other) => other.k === k && other.accuracy === accuracy)!.vote === vote;
  return {
    name: "cost",
    title: "What accuracy costs",
    caption:
      "Accuracy by the tokens generated for one item; each point is one k, named at the better of its two.",
    rows: rows.map((row) => ({ ...row, name: isBest(row) ? row.k : "" })),
    spec: {
      encoding: {
        x: {
          field: "tokens",
          type: "quantitative",
          scale: { type: "log", nice: false, padding: 12 },
          axis: { title: "generated tokens per item", grid: false, format: "~s" },
        },
        y: percentOf("accuracy"),
        color: { field: "vote", type: "nominal" },
      },
      layer: [
        { mark: { type: "line", point: true, strokeWidth: 2 } },
        { mark: { type: "text", dy: -11, fontSize: 11 }, encoding: { text: { field: "name" } } },
      ],
    },
  };
}

function subsets({ bySubset }: Metrics): Plan {
  const rows = Object.entries(bySubset)
    .filter(([, { accuracy }]) => accuracy !== null)
    .slice(0, 40)
    .map(([subset, { accuracy, accuracyInterval }]) => ({
      subset,
      accuracy,
      low: accuracyInterval![0],
      high: accuracyInterval![1],
    }));
  return {
    name: "subsets",
    title: "By subset",
    caption: "Accuracy with 95% intervals.",
    rows: rows.length > 1 ? rows : [],
    spec: {
      height: { step: 22 },
      width: width - 100,
      encoding: {
        y: { field: "subset", type: "nominal", axis: { title: null, labelLimit: 140 }, sort: null },
      },
      layer: [
        {
          mark: { type: "rule", color: light.first, strokeWidth: 2 },
          encoding: {
            x: { field: "low", type: "quantitative", axis: accuracyAxis, scale: { zero: false } },
            x2: { field: "high" },
          },
        },
        {
          mark: { type: "point", filled: true, size: 60, color: light.first, opacity: 1 },
          encoding: { x: { field: "accuracy", type: "quantitative" } },
        },
      ],
    },
  };
}

function margins({ margin }: Metrics): Plan {
  const rows = margin.calibration
    .filter(({ items }) => items > 0)
    .map(({ from, to, items, accuracy, interval }) => ({
      margin: to === null ? `${from} and more` : `${from} to ${to}`,
      items,
      accuracy,
      low: interval![0],
      high: interval![1],
    }));
  return {
    name: "margin",
    title: "What the margin says",
    caption: "Accuracy by the distance between the best and the second-best mean score.",
    rows,
    spec: {
      encoding: {
        x: { field: "margin", type: "nominal", sort: null, axis: { title: "margin", labelAngle: -30 } },
      },
      layer: [
        {
          mark: { type: "bar", color: light.first, opacity: 0.75 },
          encoding: { y: percentOf("accuracy", true) },
        },
        {
          mark: { type: "rule", color: light.ink },
          encoding: { y: { field: "low", type: "quantitative" }, y2: { field: "high" } },
        },
      ],
    },
  };
}

function abstention({ margin }: Metrics): Plan {
  return {
    name: "abstention",
    title: "Answering only when sure",
    caption: "Accuracy over the share of items with the largest margins.",
    rows: margin.abstention.map(({ coverage, accuracy, interval: [low, high] }) => ({
      coverage,
      accuracy,
      low,
      high,
    })),
    spec: {
      encoding: {
        x: {
          field: "coverage",
          type: "quantitative",
          axis: { format: ".0%", title: "items answered", grid: false },
        },
      },
      layer: [
        {
          mark: { type: "area", opacity: 0.18, color: light.third },
          encoding: { y: { field: "low", type: "quantitative" }, y2: { field: "high" } },
        },
        {
          mark: { type: "line", color: light.third, strokeWidth: 2 },
          encoding: { y: percentOf("accuracy") },
        },
      ],
    },
  };
}

function scores({ texts }: Metrics): Plan {
  const rows = texts.scores.flatMap(({ score, right, wrong, unlabelled }) =>
    [
      { score, response: "right", count: right },
      { score, response: "wrong", count: wrong },
      { score, response: "unlabelled", count: unlabelled },
    ].filter(({ count }) => count > 0),
  );
  return {
    name: "scores",
    title: "Scores given",
    caption: "How often right and wrong responses got each score.",
    rows: texts.scores.length > 30 ? [] : rows,
    spec: {
      mark: "bar",
      encoding: {
        x: { field: "score", type: "ordinal", axis: { labelAngle: 0, title: "score" } },
        xOffset: { field: "response", type: "nominal" },
        y: { field: "count", type: "quantitative", axis: { title: "times", format: "~s" } },
        color: {
          field: "response",
          type: "nominal",
          scale: { domain: [...new Set(rows.map(({ response }) => response))], range: responseColours(rows) },
        },
      },
    },
  };
}

function responseColours(rows: readonly { response: string }[]): string[] {
  const colours: Record<string, string> = {
    right: light.third,
    wrong: light.second,
    unlabelled: light.first,
  };
  return [...new Set(rows.map(({ response }) => response))].map((name) => colours[name]!);
}

function lengths({ texts }: Metrics): Plan {
  return {
    name: "lengths",
    title: "Lengths of the judgements",
    caption: `Samples by length, four bars to a doubling${texts.lengths === null ? "" : `; ${Math.round(texts.lengths.mean)} ${texts.lengths.unit} on average`}.`,
    rows: texts.lengths?.bins ?? [],
    spec: {
      mark: { type: "bar", color: light.first },
      encoding: {
        x: {
          field: "from",
          type: "ordinal",
          axis: { title: `${texts.lengths?.unit ?? ""}, at least`, labelAngle: 0, labelOverlap: true },
        },
        y: { field: "count", type: "quantitative", axis: { title: "samples", format: "~s" } },
      },
    },
  };
}

/** An accuracy on the y axis; not from zero unless bars stand on it. */
function percentOf(field: string, zero = false): object {
  return { field, type: "quantitative", axis: accuracyAxis, scale: { zero } };
}
