import type { Principle } from "../../types.js";
import { accuracyAggregator } from "../aggregate.js";
import type { Benchmark } from "../benchmark.js";
import { BadRow, conversation, describe, identifier, text, textList } from "../fields.js";
import type { Row } from "../rows.js";

const columns = ["id", "query", "responses", "label", "subset", "reference", "principles", "metadata"];

/**
 * Rows of your own, in JSONL (or any format that is read):
 * `{"id":"a1","query":"…","responses":["…","…"],"label":0,"subset":"easy","reference":"…","principles":"…","metadata":{}}`.
 * `query` is a text or a list of turns {role, content}. `label` is the index of the right response, a list of all that are
 * right (`[]`: none is), or null where it is unknown. id, query, responses and label are needed; `metadata` is not looked at;
 * any other column is a mistake.
 */
export const custom: Benchmark = {
  name: "custom",
  title: "a data set of your own",
  source: "",
  published: [],
  metric: "accuracy over labelled items",
  items(row) {
    const unknown = Object.keys(row.value).find((name) => !columns.includes(name));
    if (unknown !== undefined) throw new BadRow(`unknown column ${unknown}: expected ${columns.join(", ")}`);
    const responses = textList(row, "responses");
    return [
      {
        id: identifier(row, "id"),
        query: conversation(row, "query"),
        responses,
        label: labelOf(row, responses.length),
        ...(row.value.subset === undefined ? {} : { subset: text(row, "subset") }),
        ...(row.value.reference === undefined ? {} : { reference: text(row, "reference") }),
        ...(row.value.principles === undefined ? {} : { principles: principlesOf(row) }),
      },
    ];
  },
  aggregator: accuracyAggregator,
};

function labelOf({ value: { label } }: Row, responses: number): number | number[] | null {
  if (label === undefined) throw new BadRow("no label: the column label is missing");
  if (label === null) return null;
  const labels: unknown[] = Array.isArray(label) ? label : [label];
  for (const index of labels) {
    if (typeof index !== "number" || !Number.isInteger(index) || index < 0 || index >= responses)
      throw new BadRow(
        `wrong count: label ${describe(index)} names none of the ${responses} response${responses === 1 ? "" : "s"}`,
      );
  }
  return label as number | number[];
}

function principlesOf(row: Row): string | Principle[] {
  const given = row.value.principles;
  if (!Array.isArray(given)) return text(row, "principles");
  return given.map((one, index) => {
    const { name, weight, description } = (one ?? {}) as Record<string, unknown>;
    if (typeof name !== "string" || name === "") throw new BadRow(`principles[${index}] has no name`);
    return {
      name,
      ...(typeof weight === "number" ? { weight } : {}),
      ...(typeof description === "string" ? { description } : {}),
    };
  });
}
