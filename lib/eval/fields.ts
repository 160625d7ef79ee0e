import type { Message } from "../types.js";
import type { Row } from "./rows.js";

/** Says what is wrong with a row; who reads the row adds its place. */
export class BadRow extends Error {}

/** A non-empty text. */
export function text({ value }: Row, name: string): string {
  return nonEmpty(value[name], name);
}

/** A text, or a number as text: ids come as either. */
export function identifier({ value }: Row, name: string): string {
  const given = value[name];
  return typeof given === "number" ? String(given) : nonEmpty(given, name);
}

/** A list of at least one non-empty text. */
export function textList({ value }: Row, name: string): string[] {
  const given = value[name];
  if (given === undefined) throw new BadRow(`the column ${name} is missing`);
  if (!Array.isArray(given) || given.length === 0)
    throw new BadRow(`expected a list of texts for ${name} but received ${describe(given)}`);
  return given.map((entry, index) => nonEmpty(entry, `${name}[${index}]`));
}

/** A question, or a list of turns with role and content. */
export function conversation({ value }: Row, name: string): string | Message[] {
  const given = value[name];
  if (!Array.isArray(given)) return nonEmpty(given, name);
  if (given.length === 0) throw new BadRow(`${name} has no turns`);
  return given.map((turn, index) => {
    const { role, content } = (turn ?? {}) as Record<string, unknown>;
    return {
      role: nonEmpty(role, `${name}[${index}].role`),
      content: nonEmpty(content, `${name}[${index}].content`),
    };
  });
}

export function oneOf<const T extends string>({ value }: Row, name: string, ...allowed: T[]): T {
  const given = value[name];
  if (given === undefined || given === null) throw new BadRow(`no label: the column ${name} is missing`);
  if (!allowed.includes(given as T))
    throw new BadRow(`expected one of ${allowed.join(", ")} for ${name} but received ${describe(given)}`);
  return given as T;
}

export function nonEmpty(given: unknown, name: string): string {
  if (given === undefined || given === null) throw new BadRow(`the column ${name} is missing`);
  if (typeof given !== "string")
    throw new BadRow(`expected a text for ${name} but received ${describe(given)}`);
  if (given.trim() === "") throw new BadRow(`the text of ${name} is empty`);
  return given;
}

export function describe(given: unknown): string {
  if (Array.isArray(given)) return `a list of ${given.length}`;
  if (typeof given === "string")
    return given.length > 40 ? `a text of ${given.length} characters` : JSON.stringify(given);
  return typeof given === "object" && given !== null ? "an object" : String(given);
}
