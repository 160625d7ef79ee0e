import { readParts } from "../extract/parts.js";
import type { Principle, Sample, Verdict } from "../types.js";
import { printable, type Style, styler, type Terminal, wrap } from "./terminal.js";

type Layout = Pick<Terminal, "width" | "color">;

/** A verdict for people: one judgement (or all), the table of scores, the votes, what it took. */
export function formatVerdict(verdict: Verdict, layout: Layout, verbose = false): string {
  const paint = styler(layout);
  const shown = verbose ? verdict.samples.map((_, index) => index) : [exemplar(verdict)];
  const sections = shown.map((index) => formatJudgement(verdict.samples[index]!, index, layout));
  if (scoresWidth(verdict) <= layout.width) sections.push(formatScores(verdict, paint));
  if (verdict.scores !== null && verdict.scores.length > 1)
    sections.push(formatVotes(verdict.scores, verdict.best!, layout));
  sections.push(formatOutcome(verdict, paint), paint("dim", formatUsage(verdict)));
  return sections.join("\n\n");
}

/** The sample to show: of those that entered the vote and agree with it, one that saw the responses in the given order, as
 * its text numbers them that way; of these, the one the meta RM likes best. */
function exemplar({ samples, best }: Verdict): number {
  const rank = ({ scores, counted, order }: Sample) => {
    const agrees = scores !== null && best !== null && scores[best] === Math.max(...scores);
    return (counted ? 4 : 0) + (agrees ? 2 : 0) + (isGiven(order) ? 1 : 0);
  };
  const indices = [...samples.keys()].sort((left, right) => {
    const [a, b] = [samples[left]!, samples[right]!];
    return rank(b) - rank(a) || (b.meta ?? 0) - (a.meta ?? 0) || left - right;
  });
  return indices[0]!;
}

function isGiven(order: readonly number[]): boolean {
  return order.every((response, position) => response === position);
}

function formatJudgement({ text, order }: Sample, index: number, layout: Layout): string {
  const paint = styler(layout);
  const { principles, critique, scores } = readParts(printable(text));
  const renamed = order.map((response, position) => `response ${response + 1} as ${position + 1}`).join(", ");
  const title = `Sample ${index + 1}${isGiven(order) ? "" : `, which was shown ${renamed}`}`;
  const parts = [paint("dim", wrap(title, layout.width))];
  if (principles.length > 0) {
    parts.push(
      paint("bold", "Principles"),
      ...principles.map((principle) => formatPrinciple(principle, layout.width)),
    );
  }
  if (critique !== "") parts.push(paint("bold", "Critique"), wrap(critique, layout.width, "  "));
  if (scores !== "") parts.push(paint("bold", "Scores"), wrap(scores, layout.width, "  "));
  return parts.join("\n");
}

function formatPrinciple({ name, weight, description }: Principle, width: number): string {
  const label = weight === undefined ? "" : String(weight);
  const text = description === undefined ? name : `${name}: ${description}`;
  const lines = wrap(text, width, " ".repeat(8)).trimStart();
  return `  ${label.padStart(4)}  ${lines}`;
}

/** Columns of the table of scores; of many responses only the votes are shown. */
function scoresWidth({ samples }: Verdict): number {
  return "  sample".length + 6 * samples[0]!.order.length + "      meta  kept".length;
}

function formatScores({ samples, kMeta }: Verdict, paint: (style: Style, text: string) => string): string {
  const responses = samples[0]!.order.length;
  const columns = Array.from({ length: responses }, (_, index) => `R${index + 1}`.padStart(6));
  const withMeta = samples.some(({ meta }) => meta !== null);
  const header = `  sample${columns.join("")}${withMeta ? "      meta" : ""}`;
  const rows = samples.map((sample, index) => {
    const { scores, meta, counted, reason } = sample;
    const cells =
      scores?.map((score) => formatNumber(score).padStart(6)).join("") ?? `  ${reason}`.padEnd(6 * responses);
    const rating = withMeta ? (meta?.toFixed(3) ?? "-").padStart(10) : "";
    const row = `  ${String(index + 1).padStart(6)}${cells}${rating}`.trimEnd();
    return counted ? `${row}${kMeta === null ? "" : "  kept"}` : paint("dim", row);
  });
  return [paint("bold", header), ...rows].join("\n");
}

function formatVotes(scores: readonly number[], best: number, layout: Layout): string {
  const paint = styler(layout);
  const most = Math.max(...scores, 1);
  const room = layout.width - 28;
  const lines = scores.map((score, index) => {
    const bar = "█".repeat(Math.round((score / most) * room));
    const line = `  ${`response ${index + 1}`.padEnd(14)}${formatNumber(score).padStart(6)}  ${bar}`;
    return index === best ? paint("green", line) : line;
  });
  return [paint("bold", "Votes"), ...lines].join("\n");
}

function formatOutcome(verdict: Verdict, paint: (style: Style, text: string) => string): string {
  const { best, ties, scores, valid, k, drawn, kMeta } = verdict;
  if (best === null) return paint("red", `No verdict: none of the ${drawn} samples gave scores`);
  const kept =
    kMeta === null ? "" : `, the meta RM kept ${verdict.samples.filter(({ counted }) => counted).length}`;
  const rest = drawn < k ? `, decided before the other ${k - drawn}` : "";
  const basis = `${valid} of ${drawn} samples valid${kept}${rest}`;
  if (scores!.length === 1) {
    const counted = verdict.samples.filter((sample) => sample.counted).length;
    return `${paint("bold", `Score ${formatNumber(scores![0]! / counted)}`)} on average (${basis})`;
  }
  const tied =
    ties.length === 0 ? "" : `, drawn from the tied responses ${ties.map((index) => index + 1).join(", ")}`;
  return `${paint("bold", `Best: response ${best + 1}`)}${tied} (${basis})`;
}

function formatUsage({ usage }: Verdict): string {
  const {
    promptTokens,
    promptTokensComputed,
    generatedTokens,
    abandonedTokens = 0,
    metaTokens,
    milliseconds,
  } = usage;
  const seconds = milliseconds / 1000;
  const computed = promptTokensComputed === null ? "" : ` (${promptTokensComputed} computed)`;
  const vain = abandonedTokens ? `, ${abandonedTokens} of them for samples given up` : "";
  const read = metaTokens === undefined ? "" : `, ${metaTokens} read by the meta RM`;
  const speed = seconds > 0 ? ` (${Math.round(generatedTokens / seconds)}/s)` : "";
  return `${seconds.toFixed(2)} s, ${promptTokens} prompt tokens${computed}, ${generatedTokens} generated${speed}${vain}${read}`;
}

function formatNumber(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toFixed(2);
}
