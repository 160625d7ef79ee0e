import { copyFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import { AllPairs } from "../../eval/judges/all_pairs.js";
import { GrmJudge, type GrmJudgeOptions } from "../../eval/judges/grm.js";
import { findJudgeKind } from "../../eval/judges/index.js";
import type { Judge } from "../../eval/judges/judge.js";
import { Grm } from "../../judge.js";
import { headBeside } from "../../models.js";
import { loadAddon } from "../../native.js";
import { rewardPrompt } from "../../prompt/reward.js";
import { loadTemplate } from "../../templates.js";
import type { Accuracy } from "../accuracy.js";
import { epochs, modelText, promptOf } from "../conversations.js";
import { defaultRecipe } from "../default_judge.js";
import { hardItems, makeRft, makeRl, type StageOptions, Stopped, stageItems } from "../default_stages.js";
import { heldOutItems } from "../held_out.js";
import { fileHash } from "../meta.js";
import type { NativeTrainer } from "../native.js";
import { type LabelledSequence, type PreferencePair, type RewardSource, trainReward } from "../reward.js";
import { orderedPairs, preferencePairs } from "../reward_examples.js";
import type { RftCounts, RftOptions } from "../rft.js";
import type { RlItem } from "../rl_items.js";
import type { TaskItem } from "../tasks/task.js";
import { type Figures, gain, type Judged, judgeAll, singleAuc, voteAccuracy } from "./figures.js";

export interface StudyOptions extends StageOptions {
  /** Folder of the shipped judge. */
  models: string;
  /** Held-out pairs; the default judge is measured on twice as many. */
  items: number;
}

export interface RowResult {
  figures: Figures;
  counts?: RftCounts;
  n: number;
}

export interface Row {
  id: string;
  group: "stages" | "ablations" | "baselines" | "input";
  title: string;
  run(options: StudyOptions): Promise<RowResult>;
}

const template = "compact";
const maxTokens = 256;
const judging = { seed: 0, temperature: 1, maxTokens, reference: false };

/** With the meta RM beside the model, if any, or with `meta`. */
const grmOver = async (
  model: string,
  options: Partial<GrmJudgeOptions>,
  meta?: "fused",
): Promise<GrmJudge> => {
  const grm = await Grm.load({ model, template, meta });
  return new GrmJudge(grm, "study", {}, { ...judging, k: 1, ...options });
};

/** Greedy and voted accuracy of a generative judge. */
async function measureGrm(
  model: string,
  ks: readonly number[],
  options: StudyOptions,
  asked: Partial<GrmJudgeOptions> = {},
): Promise<Figures> {
  const items = heldOutItems(options.items);
  const greedy = await collect(await grmOver(model, { ...asked, temperature: 0 }), items, options);
  const judged = await collect(await grmOver(model, { ...asked, k: Math.max(...ks) }), items, options);
  return { greedy: voteAccuracy(greedy, { k: 1 }), ...voted(judged, ks) };
}

function voted(judged: readonly Judged[], ks: readonly number[]): Figures {
  return Object.fromEntries(ks.map((k) => [`@${k}`, voteAccuracy(judged, { k })]));
}

/** Voting over the samples that a meta RM ranks highest: half of them, a quarter, the best one. */
function metaVoted(judged: readonly Judged[], ks: readonly number[]): Figures {
  const figures: Figures = {};
  for (const k of ks) {
    figures[`meta @${k}`] = voteAccuracy(judged, { k, kMeta: k / 2 });
    figures[`meta @${k} less @${k}`] = gain(judged, { k, kMeta: k / 2 }, { k });
    for (const kMeta of [k / 4, 1]) figures[`meta @${k} of ${kMeta}`] = voteAccuracy(judged, { k, kMeta });
  }
  return figures;
}

const shippedVote = { temperature: defaultRecipe.temperature, k: 32 };

/** The default judge at its own temperature, with the meta RM that is a model of its own. */
async function defaultJudge(options: StudyOptions): Promise<RowResult> {
  // The gains at large k are smaller than those of the other rows: they need more items.
  const n = 2 * options.items;
  const [model, items] = [shipped(options), heldOutItems(n)];
  const greedy = await collect(await grmOver(model, { temperature: 0 }), items, options);
  const judged = await collect(await grmOver(model, shippedVote), items, options);
  const figures = {
    greedy: voteAccuracy(greedy, { k: 1 }),
    ...voted(judged, [1, 8, 32]),
    ...metaVoted(judged, [8, 32]),
  };
  return { figures, n };
}

async function fusedMeta(options: StudyOptions): Promise<RowResult> {
  const judge = await grmOver(shipped(options), shippedVote, "fused");
  const judged = await collect(judge, heldOutItems(options.items), options);
  return { figures: { ...voted(judged, [8, 32]), ...metaVoted(judged, [8, 32]) }, n: options.items };
}

function collect(judge: Judge, items: readonly TaskItem[], { signal, say }: StudyOptions) {
  return judgeAll(judge, items, signal, (done) => {
    if (done % 250 === 0) say(`      judged ${done}/${items.length}`);
  });
}

const base = ({ workFolder }: StudyOptions) => join(workFolder, "base.gguf");
const rftPath = ({ workFolder }: StudyOptions) => join(workFolder, "rft.gguf");
const shipped = ({ models }: StudyOptions) => join(models, "default.gguf");

/** Rejective fine-tuning of the base in another way, and how good it is then. */
function rftVariant(id: string, title: string, changes: Partial<RftOptions>, sameSamples = false): Row {
  return {
    ...{ id, title, group: "ablations" },
    async run(options) {
      const path = join(options.workFolder, `${id}.gguf`);
      if (sameSamples && !existsSync(`${path}.samples.jsonl`)) {
        copyFileSync(`${rftPath(options)}.samples.jsonl`, `${path}.samples.jsonl`);
      }
      const counts = await makeRft(base(options), path, options, changes);
      return { figures: await measureGrm(path, [1, 8], options), counts, n: options.items };
    },
  };
}

/** Reinforcement of an ablation is shorter than the judge's, to fit into the time. */
const shorter = { schedule: { ...defaultRecipe.rl.schedule, steps: 40 } };

async function withoutPrinciples(options: StudyOptions): Promise<RowResult> {
  const path = join(options.workFolder, "no-principles.gguf");
  const tuned = join(options.workFolder, "no-principles-rft.gguf");
  const items = stageItems().map((item): RlItem => ({ ...item, principles: false }));
  const counts = await makeRft(base(options), tuned, options, { items });
  if (!existsSync(path))
    await makeRl(tuned, path, await hardItems(items, `${tuned}.samples.jsonl`), options, shorter);
  return {
    figures: await measureGrm(path, [1, 8], options, { principles: false }),
    counts,
    n: options.items,
  };
}

async function withRft(options: StudyOptions): Promise<RowResult> {
  const path = join(options.workFolder, "short-rl.gguf");
  const items = await hardItems(stageItems(), `${rftPath(options)}.samples.jsonl`);
  if (!existsSync(path)) await makeRl(rftPath(options), path, items, options, shorter);
  return { figures: await measureGrm(path, [1, 8], options), n: options.items };
}

async function withoutRft(options: StudyOptions): Promise<RowResult> {
  const path = join(options.workFolder, "no-rft.gguf");
  const items = await hardItems(stageItems(), `${rftPath(options)}.samples.jsonl`);
  if (!existsSync(path)) await makeRl(base(options), path, items, options, shorter);
  return { figures: await measureGrm(path, [1, 8], options), n: options.items };
}

async function pairwiseJudge(options: StudyOptions): Promise<RowResult> {
  const path = join(options.workFolder, "pairwise.gguf");
  const items = stageItems()
    .filter(({ responses }) => responses.length === 2)
    .map((item): RlItem => ({ ...item, answer: "winner" }));
  const counts = await makeRft(base(options), path, options, { items });
  const figures = await measureGrm(path, [1, 8], options, { answer: "winner" });
  const kind = findJudgeKind("token-probability");
  const judge = await kind.load({ model: path, template, meta: null }, { ...judging, k: 8 });
  const judged = await collect(judge, heldOutItems(options.items), options);
  figures["probability @8"] = voteAccuracy(judged, { k: 8 });
  return { figures, counts, n: options.items };
}

/** Passes over the items, and the steps that they take, of the scalar baselines. */
const scalarTraining = { epochs: 4, batch: 16, peak: 3e-4, warmup: 20, floor: 0.05 };

/** Trains backbone and head from the base on the items of the other stages, and writes both. */
async function trainScalar(
  path: string,
  options: StudyOptions,
  examplesOf: (trainer: NativeTrainer) => Promise<readonly PreferencePair[] | readonly LabelledSequence[]>,
): Promise<void> {
  if (existsSync(headBeside(path))) return;
  const trainer = await loadAddon().Trainer.open({ path: base(options), threads: defaultRecipe.threads });
  const examples = await examplesOf(trainer);
  const { epochs: passes, batch, ...schedule } = scalarTraining;
  const steps = passes * Math.ceil(examples.length / batch);
  const next = <Example>(all: readonly Example[]) => epochs(all, batch, defaultRecipe.seed);
  const source: RewardSource =
    "chosen" in examples[0]!
      ? { loss: "bradley_terry", pairs: next(examples as readonly PreferencePair[]) }
      : { loss: "bce", labelled: next(examples as readonly LabelledSequence[]) };
  const { finished } = await trainReward(trainer, source, {
    schedule: { ...schedule, steps },
    signal: options.signal,
    reportEvery: 100,
    onReport: ({ step, loss, accuracy }) =>
      options.say(`      ${step}/${steps}, loss ${loss.toFixed(3)}, accuracy ${(accuracy ?? 0).toFixed(3)}`),
  });
  if (!finished) throw new Stopped();
  await trainer.save(path, "f32");
  await trainer.saveHead(headBeside(path), { kind: "reward", backbone: await fileHash(path) });
}

/** Of each item of the stages what `examplesOf` makes of it. */
async function flatMapItems<Example>(
  options: StudyOptions,
  trainer: NativeTrainer,
  examplesOf: (
    text: Awaited<ReturnType<typeof modelText>>,
    item: RlItem,
    index: number,
  ) => Promise<Example[]>,
): Promise<Example[]> {
  const text = await modelText(base(options), trainer);
  return (await Promise.all(stageItems().map((item, index) => examplesOf(text, item, index)))).flat();
}

async function scalar(options: StudyOptions): Promise<RowResult> {
  const path = join(options.workFolder, "scalar.gguf");
  const prompts = await loadTemplate(template);
  await trainScalar(path, options, (trainer) =>
    flatMapItems(options, trainer, async (text, item) => {
      return (await preferencePairs(text, prompts, item, trainer.info.context)).examples;
    }),
  );
  return { figures: { greedy: await headAccuracy("scalar", path, 1, options) }, n: options.items };
}

async function pairwiseScalar(options: StudyOptions): Promise<RowResult> {
  const path = join(options.workFolder, "pairwise-scalar.gguf");
  const prompts = await loadTemplate(template);
  await trainScalar(path, options, (trainer) =>
    flatMapItems(options, trainer, async (text, item, index) => {
      return (await orderedPairs(text, prompts, item, trainer.info.context, index)).examples;
    }),
  );
  return { figures: { "@2": await headAccuracy("pairwise-scalar", path, 2, options) }, n: options.items };
}

/** Critiques of each response alone by the base, and a head that prefers those of the best (Bradley-Terry). */
async function semiScalar(options: StudyOptions): Promise<RowResult> {
  const path = join(options.workFolder, "semi-scalar.gguf");
  await trainScalar(path, options, async (trainer) => {
    const prompts = await loadTemplate(template);
    const text = await modelText(base(options), trainer);
    const grm = await Grm.load({ model: base(options), template, meta: null });
    const critiqueOf = async (item: RlItem, index: number): Promise<Int32Array> => {
      const query = { query: item.query, responses: [item.responses[index]!] };
      const content = rewardPrompt(prompts, query, [0], "scores");
      const { samples } = await grm.judge(query, {
        k: 1,
        temperature: 1,
        maxTokens,
        seed: index,
        logprobs: true,
      });
      const prompt = await promptOf(text, [{ role: "user", content }]);
      return Int32Array.from([...prompt, ...samples[0]!.tokenIds!]);
    };
    const pairs: PreferencePair[] = [];
    try {
      for (const item of stageItems()) {
        options.signal.throwIfAborted();
        const critiques = await Promise.all(item.responses.map((_, index) => critiqueOf(item, index)));
        const chosen = critiques[item.label]!;
        for (const rejected of critiques) if (rejected !== chosen) pairs.push({ chosen, rejected });
      }
    } finally {
      await grm.close();
    }
    return pairs;
  });
  const judged = await headJudged("semi-scalar", path, 8, options);
  return {
    figures: {
      "@1": voteAccuracy(judged, { k: 1, aggregate: "mean" }),
      "@8": voteAccuracy(judged, { k: 8, aggregate: "mean" }),
    },
    n: options.items,
  };
}

async function headJudged(kind: string, path: string, k: number, options: StudyOptions) {
  const judge = await findJudgeKind(kind).load({ model: path, template }, { ...judging, k });
  return collect(judge, heldOutItems(options.items), options);
}

async function headAccuracy(kind: string, path: string, k: number, options: StudyOptions): Promise<Accuracy> {
  return voteAccuracy(await headJudged(kind, path, k, options), { k });
}

/** Lists of three and four responses, in one prompt and as all their pairs. */
async function listInput(options: StudyOptions): Promise<RowResult> {
  const items = heldOutItems(Math.ceil(options.items / 2), [0, 0, 1, 1]);
  const ks = [1, 8];
  const { temperature } = defaultRecipe;
  const lists = await collect(await grmOver(shipped(options), { temperature, k: 8 }), items, options);
  const pairs = await collect(
    new AllPairs("grm", await grmOver(shipped(options), { temperature, k: 8 })),
    items,
    options,
  );
  const figures: Figures = {};
  for (const k of ks) figures[`list @${k}`] = voteAccuracy(lists, { k });
  for (const k of ks) figures[`pairs @${k}`] = voteAccuracy(pairs, { k });
  return { figures, n: items.length };
}

async function singleInput(options: StudyOptions): Promise<RowResult> {
  const items = heldOutItems(options.items, [1, 0, 0, 0]).filter(({ truth }) => truth[0] !== 0.5);
  const { temperature } = defaultRecipe;
  const greedy = await collect(await grmOver(shipped(options), { temperature: 0 }), items, options);
  const sampled = await collect(await grmOver(shipped(options), { temperature, k: 32 }), items, options);
  const figures: Figures = { "ROC-AUC greedy": singleAuc(greedy, 1) };
  for (const k of [1, 8, 32]) figures[`ROC-AUC @${k}`] = singleAuc(sampled, k);
  return { figures, n: items.length };
}

const stages: readonly Row[] = [
  {
    ...{ id: "base", group: "stages", title: "base, before any of the paper's stages" },
    run: async (options) => ({
      figures: await measureGrm(base(options), [1, 8], options),
      n: options.items,
    }),
  },
  {
    ...{ id: "rft", group: "stages", title: "rejective fine-tuning" },
    run: async (options) => ({
      counts: await makeRft(base(options), rftPath(options), options),
      figures: await measureGrm(rftPath(options), [1, 8], options),
      n: options.items,
    }),
  },
  {
    ...{ id: "shipped", group: "stages", run: defaultJudge },
    title: "rejective fine-tuning, then reinforcement: the default judge",
  },
  { id: "fused", group: "stages", title: "the default judge with the fused meta RM", run: fusedMeta },
];

const compared: readonly Row[] = [
  { id: "short-rl", group: "ablations", title: "nothing left out, 40 steps of reinforcement", run: withRft },
  {
    ...{ id: "no-principles", group: "ablations", run: withoutPrinciples },
    title: "without principles, 40 steps of reinforcement",
  },
  {
    ...{ id: "no-rft", group: "ablations", run: withoutRft },
    title: "without rejective fine-tuning, 40 steps of reinforcement",
  },
  rftVariant("no-rejection", "fine-tuning without rejection", { rejection: false }, true),
  rftVariant("no-hints", "fine-tuning without hints", { hints: "without" }),
  rftVariant("hints-only", "fine-tuning on hinted judgements only", { hints: "only" }),
  { id: "scalar", group: "baselines", title: "Bradley-Terry scalar", run: scalar },
  { id: "pairwise-scalar", group: "baselines", title: "pairwise scalar", run: pairwiseScalar },
  { id: "semi-scalar", group: "baselines", title: "semi-scalar: critique, then a head", run: semiScalar },
  { id: "pairwise", group: "baselines", title: "pairwise judge, rejective fine-tuning", run: pairwiseJudge },
  { id: "lists", group: "input", title: "three and four responses", run: listInput },
  { id: "singles", group: "input", title: "one response", run: singleInput },
];

export const studyRows: readonly Row[] = [...stages, ...compared];
