import type { Chart } from "./charts.js";
import type { Table } from "./tables.js";

/** The report as Markdown; its charts lie beside it in `charts/`. */
export function toMarkdown(
  title: string,
  lead: string,
  tables: readonly Table[],
  charts: readonly Chart[],
): string {
  const sections = [
    `# ${escapeText(title)}\n\n${escapeText(lead)}`,
    ...tables.map(formatTable),
    ...charts.map(
      ({ name, title: heading, caption }) =>
        `## ${heading}\n\n${caption}\n\n![${heading}](charts/${name}.svg)`,
    ),
  ];
  return `${sections.join("\n\n")}\n`;
}

function formatTable({ title, caption, columns, rows }: Table): string {
  const line = (cells: readonly string[]) => `| ${cells.map(escapeText).join(" | ")} |`;
  const rule = `|${columns.map((_, index) => (index === 0 ? " --- |" : " ---: |")).join("")}`;
  return [
    `## ${title}`,
    ...(caption === "" ? [] : [escapeText(caption)]),
    [line(columns), rule, ...rows.map(line)].join("\n"),
  ].join("\n\n");
}

function escapeText(text: string): string {
  return text.replace(/[\\`*_[\]<>|]/g, "\\$&").replace(/\s+/g, " ");
}
