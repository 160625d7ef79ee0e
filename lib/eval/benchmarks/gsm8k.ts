import { accuracyAggregator } from "../aggregate.js";
import type { Benchmark } from "../benchmark.js";
import { BadRow, nonEmpty, text } from "../fields.js";

/** Rows: question, ground_truth, and one column for each model with is_correct and solution. Choosing among the solutions is
 * best-of-N; questions that all or none of the models solved decide nothing. */
export const gsm8k: Benchmark = {
  name: "gsm8k",
  title: "GSM8K best-of-N",
  source:
    "https://github.com/openai/grade-school-math (grade_school_math/data/example_model_solutions.jsonl)",
  published: [
    {
      site: "github",
      repository: "openai/grade-school-math",
      files: /^grade_school_math\/data\/example_model_solutions\.jsonl$/,
    },
  ],
  metric: "questions for which a right solution is chosen, where there are right and wrong ones",
  items(row) {
    const { question: _, ground_truth: __, ...models } = row.value;
    const solutions = Object.entries(models).map(([name, given]) => readSolution(name, given));
    if (solutions.length < 2)
      throw new BadRow(`expected solutions of at least two models, received ${solutions.length}`);
    return [
      {
        id: String(row.number),
        query: text(row, "question"),
        responses: solutions.map(({ solution }) => solution),
        reference: text(row, "ground_truth"),
        label: [...solutions.keys()].filter((index) => solutions[index]!.correct),
      },
    ];
  },
  aggregator: accuracyAggregator,
};

function readSolution(name: string, given: unknown): { solution: string; correct: boolean } {
  const { is_correct: correct, solution } = (given ?? {}) as Record<string, unknown>;
  if (typeof correct !== "boolean")
    throw new BadRow(`no label: expected true or false for ${name}.is_correct`);
  return { solution: nonEmpty(solution, `${name}.solution`), correct };
}
