import { uniform } from "./draw.js";

/**
 * The orderings that responses are shown in: `order[p]` is the index of the response at position p. The rows of cyclic
 * Latin squares: within each n of them every response stands at every position once. The paper shuffles each sample;
 * few distinct orderings do the same for the vote and let samples share a prompt. One ordering is the given one.
 */
export function balancedOrders(responses: number, count: number, seed: number): number[][] {
  const given = Array.from({ length: responses }, (_, index) => index);
  if (responses === 1 || count === 1) return [given];
  const orders: number[][] = [];
  for (let square = 0; orders.length < count; square++) {
    const base = responses === 2 ? given : shuffled(given, seed, square);
    for (let shift = 0; shift < responses && orders.length < count; shift++) {
      orders.push([...base.slice(shift), ...base.slice(0, shift)]);
    }
  }
  return orders;
}

/** Scores as shown → scores in the original order. */
export function restoreOrder<T>(order: readonly number[], shown: readonly T[]): T[] {
  const restored = new Array<T>(order.length);
  for (const [position, index] of order.entries()) restored[index] = shown[position]!;
  return restored;
}

function shuffled(values: readonly number[], seed: number, round: number): number[] {
  const result = [...values];
  for (let last = result.length - 1; last > 0; last--) {
    const other = Math.floor(uniform(seed, round, last) * (last + 1));
    [result[last], result[other]] = [result[other]!, result[last]!];
  }
  return result;
}
