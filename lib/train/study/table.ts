import type { Accuracy } from "../accuracy.js";
import type { Row, RowResult } from "./rows.js";

const groups: Record<Row["group"], string> = {
  stages: "Stages (the paper's Fig. 1, Tables 2, 3 and 6)",
  ablations: "Ablations (Tables 4 and 7)",
  baselines: "Baselines, trained on the same items (Tables 2 and 3)",
  input: "Input (Tables 11 and 13)",
};

export interface Measured {
  row: Row;
  result: RowResult | undefined;
}

/** The study as Markdown: one line for each figure, with its interval. */
export function studyTable(measured: readonly Measured[], about: string): string {
  const lines = ["# What was measured", "", about, ""];
  for (const [group, title] of Object.entries(groups)) {
    lines.push(`## ${title}`, "", "| judge | figure | value | 95 % interval | n |", "|---|---|---|---|---|");
    for (const { row, result } of measured) if (row.group === group) lines.push(...linesOf(row, result));
    lines.push("");
  }
  lines.push("## Judgements of rejective fine-tuning (Eq. 10)", "");
  lines.push(
    "| run | items | too easy | own: kept | wrong | of easy items | unreadable | hinted: kept | wrong | of easy items | unreadable |",
    "|---|---|---|---|---|---|---|---|---|---|---|",
  );
  for (const { row, result } of measured) {
    if (result?.counts === undefined) continue;
    const { items, tooEasy, own, hinted } = result.counts;
    const cells = [own, hinted].flatMap((counts) => [
      `${counts.kept} of ${counts.sampled}`,
      counts.wrong,
      counts.tooEasy,
      counts.unreadable,
    ]);
    lines.push(`| ${[row.title, items, tooEasy, ...cells].join(" | ")} |`);
  }
  return `${lines.join("\n")}\n`;
}

function linesOf({ title }: Row, result: RowResult | undefined): string[] {
  if (result === undefined) return [`| ${title} | not measured yet | | | |`];
  return Object.entries(result.figures).map(([name, figure]) => line(title, name, figure));
}

function line(title: string, name: string, { accuracy, ci, n }: Accuracy): string {
  return `| ${title} | ${name} | ${accuracy.toFixed(3)} | ${ci.map((end) => end.toFixed(3)).join(" - ")} | ${n} |`;
}
