import { logger, Error as onlyErrors, parse, View } from "vega";
import { compile } from "vega-lite";
import { light } from "../dist/eval/report/palette.js";

const config = {
  background: null,
  font: "system-ui, sans-serif",
  view: { stroke: null },
  axis: { labelColor: light.muted, titleColor: light.ink, gridColor: light.grid, titleFontWeight: "normal" },
  legend: { labelColor: light.ink, orient: "top", title: null, labelLimit: 260 },
  range: { category: [light.first, light.second, light.third] },
};

/** Seconds by what grows, one panel for each sweep, whiskers from the least to the most. */
export function drawGrowth(rows) {
  const scale = { type: "log", base: 2 };
  const labelExpr = "datum.value % 1 === 0 ? datum.label : ''";
  const values = rows.map(({ spread: [low, high], ...row }) => ({ ...row, low, high }));
  return draw({
    data: { values },
    facet: { field: "sweep", type: "nominal", title: null, sort: null },
    columns: 2,
    resolve: { scale: { x: "independent", y: "independent" } },
    spec: {
      width: 300,
      height: 200,
      encoding: {
        x: { field: "x", type: "quantitative", scale, axis: { title: null, grid: false, labelExpr } },
        color: { field: "contender", type: "nominal" },
      },
      layer: [
        {
          mark: { type: "line", point: true },
          encoding: {
            y: { field: "median", type: "quantitative", scale: { type: "log" }, axis: { title: "seconds" } },
          },
        },
        { mark: "rule", encoding: { y: { field: "low", type: "quantitative" }, y2: { field: "high" } } },
      ],
    },
  });
}

/** Peer's time in units of ours; the dashed line is ours. */
export function drawPeers(cases) {
  const several = new Set(cases.map(({ shape }) => shape)).size > 1;
  const values = cases.map(({ name, shape, peer, ratio, spread: [low, high] }) => {
    return { label: `${several ? `${shape} ` : ""}${name}: ${peer}`, ratio, low, high };
  });
  const axis = { title: null, labelLimit: 900 };
  return draw({
    data: { values },
    width: 420,
    height: { step: 24 },
    layer: [
      {
        mark: { type: "rule", color: light.first, strokeWidth: 2 },
        encoding: {
          y: { field: "label", type: "nominal", axis, sort: null },
          x: { field: "low", type: "quantitative", axis: { title: "peer's time / ours" } },
          x2: { field: "high" },
        },
      },
      {
        mark: { type: "point", filled: true, size: 60, color: light.first, opacity: 1 },
        encoding: {
          y: { field: "label", type: "nominal", axis, sort: null },
          x: { field: "ratio", type: "quantitative" },
        },
      },
      { mark: { type: "rule", color: light.muted, strokeDash: [3, 3] }, encoding: { x: { datum: 1 } } },
    ],
  });
}

async function draw(spec) {
  const compiled = compile({ ...spec, background: undefined, config }, { logger: logger(onlyErrors) });
  const view = new View(parse(compiled.spec), { renderer: "none" });
  const svg = await view.toSVG();
  view.finalize();
  return svg;
}
