import type { SampleRequest } from "./engine.js";

/** Where a text ends if it stops at its first match; undefined if it has none. Text between `open` and `close` is not
 * searched. */
export function cutAtStop(
  text: string,
  { pattern, skip }: NonNullable<SampleRequest["stop"]>,
): number | undefined {
  for (const match of text.matchAll(new RegExp(pattern, "g"))) {
    const opened = text.lastIndexOf(skip.open, match.index);
    const skipped = opened >= 0 && text.lastIndexOf(skip.close, match.index) < opened;
    if (!skipped) return match.index + match[0].length;
  }
  return undefined;
}
