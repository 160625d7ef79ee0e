// How near packed weights come to exact products: node bench/packing.mjs [items] [judge.gguf]
//   exact    the weights of the file in F32
//   plain    the file, multiplied by llama.cpp's own kernels
//   packed   the file, with packed weights
// Judgements are drawn from `exact`; the other two score the same tokens. Kullback-Leibler divergence of the next token's
// distribution, in nats a token, as the mean of q/p - 1 - ln(q/p) over tokens drawn from p: it has the divergence as its expectation
// and is never negative. Then every judge judges the items itself, with the same seeds, and verdicts are compared.
// Prints one JSON object. The judge (default: the one that ships) must be one that the trainer can read.
import { copyFileSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Grm, LocalEngine } from "../dist/index.js";
import { defaultModelPath, findModel } from "../dist/models.js";
import { loadAddon } from "../dist/native.js";
import { rewardPrompt } from "../dist/prompt/reward.js";
import { loadTemplate } from "../dist/templates.js";
import { heldOutItems } from "../dist/train/held_out.js";

const count = Number(process.argv[2] ?? 200);
const model = process.argv[3] ?? defaultModelPath;
const k = 16;
const together = 3; // items in one batch
if (!Number.isInteger(count) || count < 1) {
  console.error(`Expected a positive number of items but received ${process.argv[2]}`);
  process.exit(2);
}

const items = heldOutItems(count);
const { manifest } = await findModel(model, null);
const template = await loadTemplate(manifest.template ?? "default");
const folder = mkdtempSync(join(tmpdir(), "spct-packing-"));
const exact = join(folder, "exact.gguf");
const kinds = {
  exact: { model: exact, packedWeights: "off" },
  plain: { model, packedWeights: "off" },
  packed: { model, packedWeights: "on" },
};

const request = (item, samples) => ({
  prompts: [[{ role: "user", content: rewardPrompt(template, item, [...item.responses.keys()], "scores") }]],
  samples,
  sampling: { temperature: 1, topK: 0, topP: 1, minP: 0, order: "temperature-first" },
  maxTokens: manifest.maxTokens ?? 128,
  logprobs: true,
});

/** Completions of every item, in the order of their samples. */
async function completions(engine, samplesOf) {
  const all = [];
  for (let first = 0; first < items.length; first += together) {
    const batch = items.slice(first, first + together).map(async (item, offset) => {
      const found = [];
      await engine.sample(request(item, samplesOf(first + offset)), (completion) => {
        found[completion.sample] = completion;
      });
      return found;
    });
    all.push(...(await Promise.all(batch)));
  }
  return all;
}

async function withEngine(kind, work) {
  const { model: modelPath, packedWeights } = kinds[kind];
  const engine = await LocalEngine.load({ modelPath, packedWeights });
  try {
    return await work(engine);
  } finally {
    await engine.close();
  }
}

async function verdicts(kind) {
  const grm = await Grm.load({ ...kinds[kind], meta: null });
  try {
    const best = [];
    const queries = items.map(({ query, responses }) => ({ query, responses }));
    for await (const verdict of grm.judgeMany(queries, { k })) best.push(verdict.best);
    return best;
  } finally {
    await grm.close();
  }
}

function divergence(drawn, scored) {
  let sum = 0;
  let largest = 0;
  let tokens = 0;
  drawn.forEach((samples, item) => {
    samples.forEach(({ logprobs }, sample) => {
      logprobs.forEach((exactly, at) => {
        const difference = scored[item][sample].logprobs[at] - exactly;
        sum += Math.exp(difference) - 1 - difference;
        largest = Math.max(largest, Math.abs(difference));
        tokens++;
      });
    });
  });
  return { natsPerToken: sum / tokens, largestDifference: largest, tokens };
}

const same = (some, others) => some.filter((best, index) => best === others[index]).length / some.length;

try {
  const trainer = await loadAddon().Trainer.open({ path: model });
  await trainer.save(exact, "f32");
  const besides = model.replace(/\.gguf$/, ".json");
  if (existsSync(besides)) copyFileSync(besides, join(folder, "exact.json"));

  const drawn = await withEngine("exact", (engine) =>
    completions(engine, (item) =>
      Array.from({ length: k }, (_, seed) => ({ prompt: 0, seed: item * k + seed })),
    ),
  );
  const given = (item) =>
    drawn[item].map(({ tokenIds }) => ({ prompt: 0, seed: 0, continuation: Int32Array.from(tokenIds) }));
  const result = { judge: model === defaultModelPath ? "default" : model, items: count, k, divergence: {} };
  for (const kind of ["plain", "packed"]) {
    result.divergence[kind] = await withEngine(kind, async (engine) => {
      if (kind === "packed") result.packedWeights = engine.info.packedWeights;
      return divergence(drawn, await completions(engine, given));
    });
  }
  const [exactly, plain, packed] = [
    await verdicts("exact"),
    await verdicts("plain"),
    await verdicts("packed"),
  ];
  result.sameVerdict = {
    "plain and exact": same(plain, exactly),
    "packed and exact": same(packed, exactly),
    "packed and plain": same(packed, plain),
  };
  console.log(JSON.stringify(result, null, 2));
} finally {
  rmSync(folder, { recursive: true });
}
