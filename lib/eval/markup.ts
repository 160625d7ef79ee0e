const marks = /^[ \t]{0,3}(?:#{1,6} |[-*+] |\d{1,3}[.)] |>|```)|\*\*|__/gm;

/** Markdown marks of a text: headings, list entries, quotes, fences at the start of lines; emphasis by pairs of marks. */
export function markupOf(text: string): number {
  return text.match(marks)?.length ?? 0;
}
