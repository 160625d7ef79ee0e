import { accuracyAggregator, meanOfSubsetsAggregator } from "../aggregate.js";
import type { Benchmark, Item } from "../benchmark.js";
import { BadRow, conversation, describe, identifier, nonEmpty, oneOf, text } from "../fields.js";
import type { Row } from "../rows.js";

/** Rows: question_id, prompt, response_1, response_2, winner (model_a, model_b or a tie), language. Ties have no right
 * answer and are left out, as in the paper. */
export const ppePreference: Benchmark = {
  name: "ppe-preference",
  title: "PPE Preference",
  source: "https://huggingface.co/datasets/lmarena-ai/PPE-Human-Preference-V1 (data/*.parquet)",
  published: [
    {
      site: "hugging face data",
      repository: "lmarena-ai/PPE-Human-Preference-V1",
      files: /^data\/.*\.parquet$/,
    },
  ],
  metric: "accuracy over human preferences without ties",
  items(row) {
    const winner = oneOf(row, "winner", "model_a", "model_b", "tie", "tie (bothbad)");
    if (winner !== "model_a" && winner !== "model_b") return [];
    return [
      {
        id: identifier(row, "question_id"),
        subset: row.value.language === undefined ? undefined : text(row, "language"),
        query: conversation(row, "prompt"),
        responses: [text(row, "response_1"), text(row, "response_2")],
        label: winner === "model_a" ? 0 : 1,
      },
    ];
  },
  aggregator: accuracyAggregator,
};

const domains: [string, RegExp][] = [
  ["MMLU-Pro", /mmlu[-_ ]?pro/i],
  ["MATH", /math/i],
  ["GPQA", /gpqa/i],
  ["MBPP-Plus", /mbpp/i],
  ["IFEval", /ifeval/i],
];

/** Rows: question_id, model_name, prompt, response_1 … response_K, scores (K booleans), sampled_conflict_pairs (pairs of a
 * right and a wrong response). The five sets are told apart by the names of their files or folders. Each pair is an item. */
export const ppeCorrectness: Benchmark = {
  name: "ppe-correctness",
  title: "PPE Correctness",
  source:
    "https://huggingface.co/lmarena-ai (PPE-MMLU-Pro-Best-of-K, PPE-MATH-Best-of-K, PPE-GPQA-Best-of-K, PPE-MBPP-Plus-Best-of-K, PPE-IFEval-Best-of-K)",
  published: ["MMLU-Pro", "MATH", "GPQA", "MBPP-Plus", "IFEval"].map((set) => ({
    site: "hugging face data",
    repository: `lmarena-ai/PPE-${set}-Best-of-K`,
    files: /^data\/.*\.parquet$/,
  })),
  metric: "plain mean over the five sets of the accuracy on conflict pairs",
  items(row) {
    const place = row.file.split(/[\\/]/).slice(-3).join("/");
    const subset = domains.find(([, pattern]) => pattern.test(place))?.[0];
    if (subset === undefined)
      throw new BadRow(
        "expected mmlu-pro, math, gpqa, mbpp or ifeval in the name of the file or its folders",
      );
    const model = row.value.model_name === undefined ? "" : `/${text(row, "model_name")}`;
    const id = `${subset}/${identifier(row, "question_id")}${model}`;
    const correct = correctness(row);
    return conflictPairs(row, correct).map((pair) =>
      toItem(row, `${id}#${pair.join("-")}`, subset, pair, correct),
    );
  },
  aggregator: () => meanOfSubsetsAggregator(),
};

function toItem(row: Row, id: string, subset: string, pair: [number, number], correct: boolean[]): Item {
  const responses = pair.map((index) => text(row, `response_${index + 1}`));
  return { id, subset, query: conversation(row, "prompt"), responses, label: correct[pair[0]] ? 0 : 1 };
}

function correctness({ value }: Row): boolean[] {
  const scores = value.scores;
  if (scores === undefined || scores === null) throw new BadRow("no label: the column scores is missing");
  if (
    !Array.isArray(scores) ||
    !scores.every((score) => typeof score === "boolean" || score === 0 || score === 1)
  )
    throw new BadRow(`expected a list of true and false for scores but received ${describe(scores)}`);
  return scores.map(Boolean);
}

/** The pairs of the data; of a pair that it lists twice the first. */
function conflictPairs({ value }: Row, correct: boolean[]): [number, number][] {
  const name = value.sampled_conflict_pairs === undefined ? "conflict_pairs" : "sampled_conflict_pairs";
  const given = value[name];
  if (!Array.isArray(given))
    throw new BadRow(`expected a list of pairs for ${name} but received ${describe(given)}`);
  const pairs = new Map<string, [number, number]>();
  for (const pair of given) {
    const [first, second] = Array.isArray(pair) && pair.length === 2 ? pair : [undefined, undefined];
    if (correct[first] === undefined || correct[second] === undefined)
      throw new BadRow(
        `expected pairs of indices below ${correct.length} for ${name} but received ${describe(pair)}`,
      );
    if (correct[first] === correct[second])
      throw new BadRow(`the pair ${first}, ${second} of ${name} has no right and wrong response`);
    pairs.set([first, second].join(), [first, second]);
  }
  nonEmpty(value.response_1, "response_1");
  return [...pairs.values()];
}
