import { invalidArgument } from "./errors.js";
import { number, optional, type Reader, readOptions, text } from "./options.js";
import type { AnswerKind, Message, Principle, Query } from "./types.js";

const message = { role: text, content: text };
const principle = { name: text, weight: optional(number(0)), description: optional(text) };

const conversation: Reader<string | Message[]> = (given, name) => {
  if (!Array.isArray(given)) return text(given, name);
  if (given.length === 0) throw invalidArgument(name, "at least one message", given);
  return given.map((turn) => readOptions(message, turn));
};

const principles: Reader<string | Principle[] | false> = (given, name) => {
  if (given === false) return false;
  if (!Array.isArray(given)) return text(given, name);
  if (given.length === 0) throw invalidArgument(name, "at least one principle, or false", given);
  return given.map((one) => readOptions(principle, one));
};

const responses: Reader<string[]> = (given, name) => {
  if (!Array.isArray(given) || given.length === 0)
    throw invalidArgument(name, "an array of at least one string", given);
  return given.map((response, index) => text(response, `${name}[${index}]`));
};

const hint: Reader<{ best: number; strength?: string }> = (given, name) => {
  if (typeof given !== "object" || given === null) throw invalidArgument(name, "an object", given);
  return readOptions({ best: index, strength: optional(text) }, given);
};

const index: Reader<number> = (given, name) => {
  if (typeof given !== "number" || !Number.isInteger(given) || given < 0)
    throw invalidArgument(name, "an index", given);
  return given;
};

const readers = {
  query: conversation,
  responses,
  reference: optional(text),
  principles: optional(principles),
  hint: optional(hint),
};

/** Checks what is to be judged, and that the answer asked for fits it. */
export function readQuery(given: unknown, answer: AnswerKind): Query {
  if (typeof given !== "object" || given === null)
    throw invalidArgument("query", "an object with query and responses", given);
  const query = readOptions(readers, given);
  const count = query.responses.length;
  if (query.hint !== undefined && query.hint.best >= count) {
    throw invalidArgument("hint.best", `an index below ${count}`, query.hint.best);
  }
  if (answer === "winner" && count < 2)
    throw invalidArgument("responses", 'at least two for the answer "winner"', count);
  if (answer === "correctness" && count !== 1)
    throw invalidArgument("responses", 'one for the answer "correctness"', count);
  return query;
}

/** Checks that each ordering shows every response once. */
export function checkOrders(orders: readonly unknown[], responses: number): number[][] {
  for (const order of orders) {
    const valid = Array.isArray(order) && order.length === responses;
    const sorted = valid ? [...order].sort((left, right) => left - right) : [];
    if (!valid || !sorted.every((value, position) => value === position)) {
      throw invalidArgument("orderings", `permutations of 0 to ${responses - 1}`, order);
    }
  }
  return orders as number[][];
}
