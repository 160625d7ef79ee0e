import { withoutThought } from "./parts.js";

const opening = 200;
const phrases = [
  /\bi(?:'m| am) (?:very |so )?(?:sorry|unable|not able)\b/,
  /\bi (?:cannot|can't|can not|won't|will not|must decline|decline)\b/,
  /\bas an ai\b/,
  /\b(?:cannot|can't|unable to) (?:assist|help|comply|fulfil)/,
];

/** Whether a text opens as English refusals do. Says something about a text without scores only: a critique may begin like
 * that too. */
export function isRefusal(text: string): boolean {
  const start = withoutThought(text).trimStart().slice(0, opening).toLowerCase().replaceAll("’", "'");
  return phrases.some((phrase) => phrase.test(start));
}
