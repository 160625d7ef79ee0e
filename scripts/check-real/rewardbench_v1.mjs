// Published accuracies of one model by subset -> its published section scores, both from the accuracies and through the
// aggregation that judged items take.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { rewardBench, sectionScores, sections } from "../../dist/eval/benchmarks/rewardbench.js";

export const name = "rewardbench_v1";

const rounding = 1e-12;
const published = { Chat: 95.8, "Chat Hard": 91.4, Safety: 91.9, Reasoning: 96.1, average: 93.8 };

export async function check(folder, compare) {
  const expected = JSON.parse(readFileSync(join(folder, "expected.json"), "utf8"));
  for (const [section, subsets] of Object.entries(expected.section_mapping)) {
    compare(`${section} subsets`, Object.keys(sections[section]).length, subsets.length);
    for (const subset of subsets)
      compare(`weight of ${subset}`, sections[section][subset], expected.example_counts[subset]);
  }
  for (const [model, { subsets, expected_sections: wanted }] of Object.entries(expected.models)) {
    const scores = sectionScores(subsets);
    const aggregator = rewardBench.aggregator();
    for (const [subset, credit] of Object.entries(subsets)) aggregator.add({ subset, credit });
    const aggregated = Object.fromEntries(
      aggregator.scores().map(({ name: score, value }) => [score, value]),
    );
    for (const [section, value] of Object.entries(wanted)) {
      compare(`${model} ${section}`, scores[section], value, rounding);
      compare(`${model} ${section}, rounded`, Number((100 * scores[section]).toFixed(1)), published[section]);
      const key = section === "average" ? "RewardBench" : section;
      compare(`${model} ${section}, aggregated`, aggregated[key], value, rounding);
    }
  }
}
