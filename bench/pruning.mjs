// Whether a judgement's head says part-way how it will end: node bench/pruning.mjs [items] [samples]
// Samples of the default judge on held-out pairs are cut after a part of their tokens, and the head is read there. Prints, for each
// part, how often the cut sample of two ranks higher that does so at its end: of the samples of an item, one of those that the meta
// RM keeps (the better half) and one that it leaves out. 0.5 is chance.
import { LocalEngine } from "../dist/engine/local.js";
import { stopPattern } from "../dist/extract/stop.js";
import { findModel } from "../dist/models.js";
import { rewardPrompt } from "../dist/prompt/reward.js";
import { loadTemplate } from "../dist/templates.js";
import { heldOutItems } from "../dist/train/held_out.js";

const [items = 100, samples = 8] = process.argv.slice(2).map(Number);
const parts = [0.25, 0.5, 0.75, 0.9, 1];
const { modelPath, headPath, manifest } = await findModel("default", "fused");
const engine = await LocalEngine.load({ modelPath, headPath });
const template = await loadTemplate(manifest.template);
const sampling = { temperature: 1, topK: 0, topP: 1, minP: 0, order: "temperature-first" };

async function draw(prompts, request) {
  const drawn = [];
  await engine.sample({ prompts, sampling, ...request }, (completion) => {
    drawn[completion.sample] = completion;
  });
  return drawn;
}

const counts = parts.map(() => ({ right: 0, of: 0 }));
for (const [number, item] of heldOutItems(items).entries()) {
  const prompts = [
    [0, 1],
    [1, 0],
  ].map((order) => [{ role: "user", content: rewardPrompt(template, item, order, "scores") }]);
  const whole = await draw(prompts, {
    samples: Array.from({ length: samples }, (_, index) => ({
      prompt: index % 2,
      seed: number * samples + index,
    })),
    maxTokens: manifest.maxTokens,
    logprobs: true,
    stop: { pattern: stopPattern("scores", 2), skip: { open: "<think>", close: "</think>" } },
  });
  const ends = whole.map(({ meta }) => meta);
  const ranked = [...ends.keys()].sort((left, right) => ends[right] - ends[left]);
  const [kept, left] = [ranked.slice(0, samples / 2), ranked.slice(samples / 2)];
  for (const [index, part] of parts.entries()) {
    const values = await Promise.all(
      whole.map(async ({ tokenIds }, sample) => {
        const answer = tokenIds.slice(0, Math.max(1, Math.round(part * tokenIds.length)));
        const only = { samples: [{ prompt: 0, seed: 0 }], answer, maxTokens: 0, logprobs: false };
        const [{ meta }] = await draw([prompts[sample % 2]], only);
        return meta;
      }),
    );
    for (const better of kept) {
      for (const worse of left) {
        counts[index].of++;
        if (values[better] > values[worse]) counts[index].right++;
      }
    }
  }
}
await engine.close();
for (const [index, part] of parts.entries()) {
  const { right, of } = counts[index];
  console.log(
    `after ${100 * part}% of the tokens: ${(right / of).toFixed(3)} of ${of} pairs (${items} items)`,
  );
}
