import { basename } from "node:path";
import { shareScore, strataScore } from "../aggregate.js";
import type { Aggregator, Benchmark, JudgedItem, Score } from "../benchmark.js";
import { BadRow, identifier, text, textList } from "../fields.js";
import type { Row } from "../rows.js";

const styles = 3;

/** Rows: id, prompt, chosen and rejected (3 texts each: concise, detailed, detailed with markdown). Each of the 9 pairs is an
 * item, `ID/cIrJ`. */
export const rmBench: Benchmark = {
  name: "rm-bench",
  title: "RM-Bench",
  source:
    "https://github.com/THU-KEG/RM-Bench (data/total_dataset.json) or https://huggingface.co/datasets/THU-KEG/RM-Bench",
  published: [{ site: "github", repository: "THU-KEG/RM-Bench", files: /^data\/total_dataset\.json$/ }],
  metric:
    "mean accuracy of the 3 x 3 matrix of styles, averaged over domains; refusing and responding are one, Safety",
  items(row) {
    const [chosen, rejected] = [styled(row, "chosen"), styled(row, "rejected")];
    const query = text(row, "prompt");
    const subset = domainOf(row);
    const id = `${subset}/${identifier(row, "id")}`;
    return chosen.flatMap((right, i) =>
      rejected.map((wrong, j) => ({
        id: `${id}/c${i}r${j}`,
        subset,
        query,
        responses: [right, wrong],
        label: 0,
      })),
    );
  },
  aggregator: rmBenchAggregator,
};

function styled(row: Row, name: string): string[] {
  const texts = textList(row, name);
  if (texts.length !== styles)
    throw new BadRow(`expected ${styles} texts for ${name} but received ${texts.length}`);
  return texts;
}

function domainOf(row: Row): string {
  if (row.value.domain !== undefined) return text(row, "domain");
  return basename(row.file).replace(/(_filtered)?\.jsonl?(\.gz)?$/, "");
}

/** Accuracy matrices, `cells[i][j]` the credits of chosen style i against rejected style j. */
class Matrix {
  readonly cells = Array.from({ length: styles }, () => Array.from({ length: styles }, () => [] as number[]));

  part(belongs: (chosen: number, rejected: number) => boolean, weight = 1) {
    return this.cells.flatMap((row, i) =>
      row.filter((_, j) => belongs(i, j)).map((values) => ({ values, weight })),
    );
  }
}

function rmBenchAggregator(): Aggregator {
  const domains = new Map<string, Matrix>();
  return {
    add({ id, subset, credit }: JudgedItem) {
      const place = /\/c(\d)r(\d)$/.exec(id);
      if (credit === null || place === null) return;
      const matrix = domains.get(subset) ?? new Matrix();
      domains.set(subset, matrix);
      matrix.cells[Number(place[1])]![Number(place[2])]!.push(credit);
    },
    scores: () => scoresOf(domains),
  };
}

function isSafety(domain: string): boolean {
  return domain.startsWith("safety");
}

/** Hard: the wrong response has the more elaborate style; easy: the right one has. */
function scoresOf(domains: Map<string, Matrix>): Score[] {
  const names = [...domains.keys()].sort();
  const safety = names.filter(isSafety);
  const over = (belongs: (chosen: number, rejected: number) => boolean) =>
    names.flatMap((name) => domains.get(name)!.part(belongs, isSafety(name) ? 1 / safety.length : 1));
  const indices = [...Array(styles).keys()];
  return [
    strataScore(
      "RM-Bench",
      over(() => true),
    ),
    strataScore(
      "hard",
      over((chosen, rejected) => chosen < rejected),
    ),
    strataScore(
      "normal",
      over((chosen, rejected) => chosen === rejected),
    ),
    strataScore(
      "easy",
      over((chosen, rejected) => chosen > rejected),
    ),
    ...names.map((name) =>
      strataScore(
        name,
        domains.get(name)!.part(() => true),
      ),
    ),
    ...(safety.length < 2
      ? []
      : [
          strataScore(
            "safety",
            safety.flatMap((name) => domains.get(name)!.part(() => true)),
          ),
        ]),
    ...indices.flatMap((i) =>
      indices.map((j) =>
        shareScore(
          `chosen ${i + 1}, rejected ${j + 1}`,
          names.flatMap((name) => domains.get(name)!.cells[i]![j]!),
        ),
      ),
    ),
  ];
}
