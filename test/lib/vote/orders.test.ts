import { describe, expect, test } from "vitest";
import { balancedOrders, restoreOrder } from "../../../lib/vote/orders.js";

describe("balancedOrders", () => {
  test("shows a pair both ways, the given way first", () => {
    expect(balancedOrders(2, 2, 7)).toEqual([
      [0, 1],
      [1, 0],
    ]);
  });

  test("keeps a single response and a single ordering as given", () => {
    expect(balancedOrders(1, 8, 0)).toEqual([[0]]);
    expect(balancedOrders(4, 1, 99)).toEqual([[0, 1, 2, 3]]);
  });

  test.each([3, 4, 5, 8])("puts each of %i responses at each position once a square", (responses) => {
    const orders = balancedOrders(responses, 2 * responses, 42);
    expect(orders).toHaveLength(2 * responses);
    for (const square of [orders.slice(0, responses), orders.slice(responses)]) {
      for (let position = 0; position < responses; position++) {
        expect(new Set(square.map((order) => order[position])).size).toBe(responses);
      }
    }
  });

  test("no balanced orderings of three have a smaller prefix tree", () => {
    const all = [
      [0, 1, 2],
      [0, 2, 1],
      [1, 0, 2],
      [1, 2, 0],
      [2, 0, 1],
      [2, 1, 0],
    ];
    const balanced = Array.from({ length: 2 ** all.length }, (_, chosen) =>
      all.filter((_, index) => (chosen >> index) & 1),
    ).filter((orders) => orders.length > 0 && isBalanced(orders));
    expect(balanced.length).toBeGreaterThan(2);
    expect(Math.min(...balanced.map(responsesComputed))).toBe(9);
    expect(responsesComputed(balancedOrders(3, 3, 5))).toBe(9);
    expect(responsesComputed(balancedOrders(5, 5, 5))).toBe(25);
  });

  test("depends on the seed, and on nothing else", () => {
    expect(balancedOrders(6, 6, 1)).toEqual(balancedOrders(6, 6, 1));
    const distinct = new Set(
      Array.from({ length: 20 }, (_, seed) => JSON.stringify(balancedOrders(6, 2, seed))),
    );
    expect(distinct.size).toBeGreaterThan(10);
  });
});

function isBalanced(orders: number[][]): boolean {
  return orders[0]!.every((_, position) => {
    const counts = orders[0]!.map(
      (response) => orders.filter((order) => order[position] === response).length,
    );
    return new Set(counts).size === 1;
  });
}

/** Responses on the edges of a prefix tree of the orderings. */
function responsesComputed(orders: number[][]): number {
  return new Set(orders.flatMap((order) => order.map((_, last) => order.slice(0, last + 1).join()))).size;
}

test("restoreOrder undoes any order", () => {
  for (const order of balancedOrders(5, 10, 3)) {
    const original = ["a", "b", "c", "d", "e"];
    expect(
      restoreOrder(
        order,
        order.map((index) => original[index]),
      ),
    ).toEqual(original);
  }
});
