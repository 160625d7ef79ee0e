// The figures of a trained judge and those of `spct eval` on the same items are one definition, not two.
import { expect, test } from "vitest";
import { custom } from "../../../lib/eval/benchmarks/custom.js";
import { evaluate } from "../../../lib/eval/evaluate.js";
import { GrmJudge } from "../../../lib/eval/judges/grm.js";
import { run } from "../../../lib/eval/run.js";
import { Grm } from "../../../lib/judge.js";
import { loadTemplate } from "../../../lib/templates.js";
import { heldOutItems } from "../../../lib/train/held_out.js";
import { measureJudge } from "../../../lib/train/measure.js";
import { uniform } from "../../../lib/vote/draw.js";
import { temporaryFolder } from "../eval/temporary_folder.js";
import { FakeEngine } from "../fake_engine.js";

const folder = temporaryFolder();
const items = heldOutItems(24);
const data = folder.writeLines(
  "rows.jsonl",
  items.map(({ id, query, responses, label, subset }) => ({ id, query, responses, label, subset })),
);
const mute = items[5]!.query;

/** Scores by chance; one of ten samples has none, and one item has none at all. */
async function judge(hasHead: boolean) {
  const engine = new FakeEngine(
    ({ prompt, seed }) => {
      const key = [...prompt].reduce((sum, letter) => (31 * sum + letter.charCodeAt(0)) % 2 ** 31, 7);
      const draw = (what: number) => 1 + Math.floor(10 * uniform(key, seed, what));
      const silent = draw(2) === 1 || prompt.includes(mute);
      return {
        text: silent ? "…" : `\\boxed{${draw(0)}, ${draw(1)}}`,
        ...(hasHead ? { meta: uniform(key, seed, 3) } : {}),
      };
    },
    { hasHead },
  );
  return Grm.over(engine, await loadTemplate("compact"));
}

async function evaluated(hasHead: boolean, options: { k: number; temperature?: number }) {
  const over = new GrmJudge(await judge(hasHead), "fake", {}, { ...options, seed: 4, reference: false });
  const judgements = await run(custom, data, over, folder.path(`run-${hasHead}-${JSON.stringify(options)}`));
  const { curve } = await evaluate(custom, data, judgements);
  return (k: number, meta: boolean) => {
    const point = curve.find((one) => one.k === k && one.meta === meta);
    return point && { accuracy: point.accuracy, ci: point.interval, n: point.items };
  };
}

test.each([true, false])("measureJudge and eval agree exactly, meta RM: %s", async (hasHead) => {
  const figures = await measureJudge(await judge(hasHead), items, { ks: [1, 2, 8], seed: 4 });
  expect(figures.invalid).toBeGreaterThan(0.1);
  expect(figures.voting["8"]).toMatchObject({ n: items.length });
  const greedy = await evaluated(hasHead, { k: 1, temperature: 0 });
  expect(greedy(1, false)).toEqual(figures.greedy);
  const sampled = await evaluated(hasHead, { k: 8 });
  for (const k of [1, 2, 8]) {
    expect(sampled(k, false)).toEqual(figures.voting[k]);
    expect(sampled(k, true)).toEqual(figures.meta[k]);
    expect(figures.meta[k] !== undefined).toBe(hasHead);
  }
});
