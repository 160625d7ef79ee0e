import { randomBytes } from "node:crypto";

/** What a template printed: its own text, or the number of the text that was inserted there. */
export type Layout = readonly (string | number)[];

/** Renders a template with a random marker in the place of each of `count` texts, and finds the markers again. */
export function layOut(count: number, render: (markers: string[]) => string): Layout {
  const nonce = randomBytes(16).toString("hex");
  const markers = Array.from({ length: count }, (_, index) => `text-${nonce}-${index}-end`);
  const parts = render(markers).split(new RegExp(`text-${nonce}-(\\d+)-end`)); // text, index, text, index, …, text
  return parts
    .map((part, position) => (position % 2 === 0 ? part : Number(part)))
    .filter((part) => part !== "");
}
