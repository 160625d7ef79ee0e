import type { Browser } from "./browser.js";
import { browserScript } from "./browser_script.js";
import type { Chart } from "./charts.js";
import { inlined, paletteStyles } from "./palette.js";
import type { Table } from "./tables.js";

/** The report as one HTML file that needs nothing else. */
export function toPage(
  title: string,
  lead: string,
  tables: readonly Table[],
  charts: readonly Chart[],
  browser: Browser,
): string {
  const [first, ...others] = tables;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>${escapeText(title)}</title>
<style>${paletteStyles()}${styles}</style>
</head>
<body>
<main>
<h1>${escapeText(title)}</h1>
<p class="lead">${escapeText(lead)}</p>
${first === undefined ? "" : formatTable(first)}
<div class="charts">
${charts.map(formatChart).join("\n")}
</div>
${others.map(formatTable).join("\n")}
${formatBrowser(browser)}
</main>
</body>
</html>
`;
}

function formatChart({ title, caption, svg }: Chart): string {
  return `<figure><h2>${escapeText(title)}</h2>${inlined(svg)}<figcaption>${escapeText(caption)}</figcaption></figure>`;
}

function formatTable({ title, caption, columns, rows }: Table): string {
  const cells = (row: readonly string[], tag: string) =>
    `<tr>${row.map((cell) => `<${tag}>${escapeText(cell)}</${tag}>`).join("")}</tr>`;
  return `<section><h2>${escapeText(title)}</h2>${caption === "" ? "" : `<p>${escapeText(caption)}</p>`}
<div class="scroll"><table><thead>${cells(columns, "th")}</thead><tbody>
${rows.map((row) => cells(row, "td")).join("\n")}
</tbody></table></div></section>`;
}

function formatBrowser({ entries, items }: Browser): string {
  if (entries.length === 0) return "";
  // "<" is escaped so that no text can end the script element.
  const data = JSON.stringify(entries).replaceAll("<", "\\u003c");
  return `<section id="browser"><h2>Single judgements</h2>
<p>${entries.length} of ${items} items: the first of each outcome.</p>
<form><input id="search" type="search" placeholder="Search in texts and ids" aria-label="Search">
<select id="outcome" aria-label="Outcome"><option value="">every outcome</option>
${["wrong", "right", "tied", "no vote", "unlabelled"].map((name) => `<option>${name}</option>`).join("")}</select></form>
<p id="found" role="status"></p><div id="entries"></div><button id="more" type="button">Show more</button>
<script type="application/json" id="data">${data}</script>
<script>${browserScript}</script></section>`;
}

function escapeText(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}

const styles = `
:root { --paper: #ffffff; --raised: #f4f6f8; }
@media (prefers-color-scheme: dark) { :root { --paper: #14191f; --raised: #1d242c; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 24px 16px 64px; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 8px; }
h2 { font-size: 1.1rem; margin: 0 0 4px; }
p, figcaption { color: var(--muted); margin: 0 0 12px; }
.lead { color: var(--ink); font-size: 1.1rem; max-width: 70ch; }
section { margin-top: 40px; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 440px), 1fr)); gap: 40px 32px; margin-top: 40px; }
figure { margin: 0; min-width: 0; }
figure svg { display: block; width: 100%; height: auto; margin-bottom: 4px; }
figcaption { font-size: 0.9rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.9rem; font-variant-numeric: tabular-nums; }
th, td { padding: 5px 14px 5px 0; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--grid); }
th { color: var(--muted); font-weight: normal; }
th:first-child, td:first-child { text-align: left; white-space: normal; min-width: 12ch; max-width: 44ch; overflow-wrap: anywhere; }
form { display: flex; flex-wrap: wrap; gap: 8px; margin-bottom: 8px; }
input, select, button { font: inherit; color: inherit; background: var(--raised); border: 1px solid var(--grid); border-radius: 6px; padding: 6px 10px; }
input { flex: 1 1 220px; min-width: 0; }
details { border-bottom: 1px solid var(--grid); padding: 8px 0; }
summary { cursor: pointer; overflow-wrap: anywhere; }
.mark { display: inline-block; min-width: 6em; color: var(--muted); }
.mark.right { color: var(--third); } .mark.wrong { color: var(--second); }
pre { white-space: pre-wrap; overflow-wrap: anywhere; background: var(--raised); border-radius: 6px; padding: 10px; margin: 4px 0 12px; font: 0.85rem/1.45 ui-monospace, monospace; max-height: 24em; overflow-y: auto; }
h3 { font-size: 0.9rem; margin: 12px 0 0; font-weight: 600; }
`;
