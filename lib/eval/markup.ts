const marks = /^[ \t]{0,3}(?:#{1,6} |[-*+] |\d{1,3}[.)] |>|```)|\*\*|__/gm;

/** Markdown marks of a text: headings, list entries, quotes, fences at the start of lines; emphasis by pairs of marks. */
export function markupOf(text: string): number {
  return text.match(marks)?.length ?? 0;
}

/** The same words without those marks, and without the marks around words. */
export function withoutMarkup(text: string): string {
  return text
    .replace(/^[ \t]{0,8}```[^\n]*\n?/gm, "")
    .replace(/^[ \t]{0,8}(?:#{1,6}|[-*+]|\d{1,3}[.)]|>)[ \t]+/gm, "")
    .replace(/(\*\*|__)(?=\S)(.{1,500}?)\1/g, "$2")
    .replace(/`([^`\n]{1,500})`/g, "$1");
}
