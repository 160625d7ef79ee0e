import { meanOfSubsetsAggregator } from "../aggregate.js";
import type { Benchmark, Item, JudgedItem } from "../benchmark.js";
import { BadRow, conversation, describe, identifier, nonEmpty } from "../fields.js";
import { winsEveryPair } from "../measures/pairs.js";
import type { Row } from "../rows.js";

/** Rows: conversation_input, and either pair_uid, chosen, reject or bon_uid, bon_best, loser_list; answers stand under
 * `answer`. Helpfulness or Harmlessness is read from the folder (or category_path). */
export const rmb: Benchmark = {
  name: "rmb",
  title: "RMB",
  source: "https://github.com/Zhou-Zoey/RMB-Reward-Model-Benchmark (folder RMB_dataset)",
  published: [
    { site: "github", repository: "Zhou-Zoey/RMB-Reward-Model-Benchmark", files: /^RMB_dataset\/.*\.json$/ },
  ],
  metric: "plain mean of helpfulness and harmlessness, each pairwise and best-of-N",
  items(row) {
    const goal = goalOf(row);
    return [row.value.bon_uid === undefined ? pairOf(row, goal) : bestOf(row, goal)];
  },
  aggregator: () => meanOfSubsetsAggregator(creditOf),
};

/** In best-of-N, a judge of pairs must prefer the best response to every other one. */
function creditOf(item: JudgedItem): number | null {
  const won = winsEveryPair(item);
  return item.credit === null || won === null ? item.credit : Number(won);
}

function pairOf(row: Row, goal: string): Item {
  const responses = [answer(row.value.chosen, "chosen"), answer(row.value.reject, "reject")];
  const id = `${scenario(row)}/${identifier(row, "pair_uid")}`;
  return {
    id,
    subset: `${goal}/pairwise`,
    query: conversation(row, "conversation_input"),
    responses,
    label: 0,
  };
}

function bestOf(row: Row, goal: string): Item {
  const losers = row.value.loser_list;
  if (!Array.isArray(losers) || losers.length === 0)
    throw new BadRow(`expected a list of responses for loser_list but received ${describe(losers)}`);
  const responses = [
    answer(row.value.bon_best, "bon_best"),
    ...losers.map((loser, index) => answer(loser, `loser_list[${index}]`)),
  ];
  const id = `${scenario(row)}/${identifier(row, "bon_uid")}`;
  return {
    id,
    subset: `${goal}/best-of-n`,
    query: conversation(row, "conversation_input"),
    responses,
    label: 0,
  };
}

function answer(given: unknown, name: string): string {
  if (given === undefined || given === null) throw new BadRow(`the column ${name} is missing`);
  return nonEmpty((given as Record<string, unknown>).answer, `${name}.answer`);
}

function goalOf(row: Row): string {
  const path = `${row.file}/${row.value.category_path ?? ""}`;
  const goal = /(helpful|harmless)ness/i.exec(path);
  if (goal === null)
    throw new BadRow("expected Helpfulness or Harmlessness in the folder's name or category_path");
  return goal[0].toLowerCase();
}

/** The ids of the authors are unique within a file. */
function scenario({ file }: Row): string {
  const parts = file.split(/[\\/]/);
  const start = parts.findIndex((part) => /^(Pairwise|BoN)_set$/i.test(part));
  return parts
    .slice(start < 0 ? -1 : start)
    .join("/")
    .replace(/\.jsonl?(\.gz)?$/, "");
}
