// Trains a small writer with a judge as its reward: GRPO on what the default judge thinks of the writer's lines.
//
//   node examples/train_policy.mjs [--steps 60] [--warm-up 100] [--seed 1]
//
// The writer begins with random weights. A short supervised warm-up on random lines, the same for every query, teaches it to write
// words; only the judge's scores then teach it what each query asks for. The share of requirements that are met is printed beside
// the reward, and used for nothing.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import {
  createTrainer,
  Grm,
  groupAdvantages,
  LocalEngine,
  learningRate,
  modelText,
  openTrainer,
  promptOf,
  rewardFunction,
  toBatch,
  toExample,
} from "spct";

const { values } = parseArgs({
  options: {
    steps: { type: "string", default: "60" },
    "warm-up": { type: "string", default: "100" },
    seed: { type: "string", default: "1" },
  },
});
const steps = Number(values.steps);
const warmUpSteps = Number(values["warm-up"]);
const random = randomFrom(Number(values.seed));

const judgePath = fileURLToPath(new URL("../models/default.gguf", import.meta.url));
const shape = { embedding: 64, layers: 2, heads: 4, kvHeads: 4, feedForward: 192, context: 128 };
const groupSize = 8;
const beta = 0.02;

const tasks = [
  { mention: "river", avoid: "lamp", end: "dog" },
  { mention: "snow", avoid: "apple", end: "bread" },
  { mention: "clock", avoid: "garden", end: "horse" },
  { mention: "moon", avoid: "paper", end: "ship" },
].map((task) => ({
  ...task,
  query: `Write one short line: mention ${task.mention}, avoid ${task.avoid}, end with ${task.end}.`,
}));
const words = tasks.flatMap(({ mention, avoid, end }) => [mention, avoid, end]);

function randomLine() {
  return shuffle(words)
    .slice(0, 3 + Math.floor(4 * random()))
    .join(" ");
}

function metShare({ mention, avoid, end }, line) {
  const written = line.toLowerCase().match(/[a-z]+/g) ?? [];
  return (
    [written.includes(mention), !written.includes(avoid), written.at(-1) === end].filter(Boolean).length / 3
  );
}

const folder = await mkdtemp(join(tmpdir(), "spct-policy-"));
const weights = join(folder, "policy.gguf");
const judge = await Grm.load({ model: "default", meta: null });
try {
  const trainer = await createTrainer({ vocabularyPath: judgePath, shape, seed: Number(values.seed) });
  const text = await modelText(judgePath, trainer);
  await warmUp(trainer, text);
  await trainer.save(weights, "f32");
  const reference = await openTrainer({ path: weights });
  await reinforce(trainer, reference, text);
} finally {
  await judge.close();
  await rm(folder, { recursive: true });
}

async function warmUp(trainer, text) {
  const schedule = { steps: warmUpSteps, peak: 3e-3, warmup: 20, floor: 0.1 };
  for (let step = 0; step < warmUpSteps; step++) {
    const conversations = Array.from({ length: 32 }, (_, index) => {
      const { query } = tasks[index % tasks.length];
      return { messages: [{ role: "user", content: query }], completion: randomLine() };
    });
    const examples = await Promise.all(conversations.map((conversation) => toExample(text, conversation)));
    const { loss } = await trainer.step(toBatch(examples), learningRate(schedule, step));
    if ((step + 1) % 50 === 0) console.log(`warm-up ${step + 1}/${warmUpSteps}  loss ${loss.toFixed(3)}`);
  }
}

async function reinforce(trainer, reference, text) {
  const reward = rewardFunction(judge, { k: 1, together: 2 });
  const schedule = { steps, peak: 2e-3, warmup: 5, floor: 0.1 };
  for (let step = 0; step < steps; step++) {
    const samples = await write(text, step * tasks.length * groupSize);
    // A blank line cannot be judged: the lowest score.
    const rewards = (
      await reward({
        prompts: samples.map(({ task }) => task.query),
        completions: samples.map(({ line }) => line),
      })
    ).map((score) => score ?? 1);
    const batch = toBatch(samples);
    const { kl } = await trainer.policyStep(
      {
        ...batch,
        advantages: groupAdvantages(rewards, groupSize),
        oldLogProbabilities: Float32Array.from(
          samples.flatMap(({ logProbabilities }) => [...logProbabilities]),
        ),
        referenceLogProbabilities: await reference.logProbabilities(batch, 1),
      },
      { beta },
      learningRate(schedule, step),
    );
    await trainer.save(weights, "f32");
    const met = mean(samples.map(({ task, line }) => metShare(task, line)));
    console.log(
      `step ${step + 1}/${steps}  reward ${mean(rewards).toFixed(2)}  KL ${kl.toFixed(3)}  met ${(100 * met).toFixed(0)}%` +
        `  ${samples[0].task.query} -> ${samples[0].line}`,
    );
  }
}

/** A group of lines for each task by the present weights, with the log-probabilities they were drawn with. */
async function write(text, seed) {
  const engine = await LocalEngine.load({ modelPath: weights });
  try {
    const prompts = tasks.map(({ query }) => [{ role: "user", content: query }]);
    const tokens = await Promise.all(prompts.map((messages) => promptOf(text, messages)));
    const request = {
      prompts,
      samples: tasks.flatMap((_, prompt) =>
        Array.from({ length: groupSize }, (_, index) => ({
          prompt,
          seed: seed + prompt * groupSize + index,
        })),
      ),
      sampling: { temperature: 1, topK: 0, topP: 1, minP: 0, order: "temperature-first" },
      maxTokens: 16,
      logprobs: true,
    };
    const written = [];
    await engine.sample(request, ({ sample, text: line, tokenIds, logprobs }) => {
      const { prompt } = request.samples[sample];
      const task = tasks[prompt];
      written[sample] = {
        task,
        line,
        prompt: tokens[prompt],
        completion: tokenIds,
        logProbabilities: logprobs,
      };
    });
    return written;
  } finally {
    await engine.close();
  }
}

function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function shuffle(list) {
  return list
    .map((value) => ({ value, key: random() }))
    .sort((left, right) => left.key - right.key)
    .map(({ value }) => value);
}

/** Numbers in [0, 1), the same for the same seed (mulberry32). */
function randomFrom(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
