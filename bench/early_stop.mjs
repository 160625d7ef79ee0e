// Votes that stop once they are decided, beside all k samples: npm run bench:early-stop -- [--rounds 3] [--queries 64] [--samples 32]
//   [--flip-risk 0.002] [--at-once 4] [--concurrency <n>] [--prefix-cache 512] [--json]
// The default judge on held-out pairs of its task, with its fused meta RM and without, in turns; every round has queries of its
// own. The engine keeps prompts of so many tokens for all of them, as a service would.
// Prints the samples drawn; how often the winner is that of all k, ties of all k apart, and what of it is stopping and what the
// other batch: the winner of as many of the k samples themselves, that of all k one query after the other, and the share of
// samples with another text; and the times of k samples over ours, on the clock and on the processor: with as many queries in
// flight as judgeMany chooses (or --concurrency of them, all samples and ours alike), and one query after the other.
import { cpus, loadavg } from "node:os";
import { parseArgs } from "node:util";
import { ratioOf, spreadOf } from "../dist/bench/spread.js";
import { wilson } from "../dist/eval/statistics.js";
import { Grm } from "../dist/judge.js";
import { heldOutItems } from "../dist/train/held_out.js";
import { kMetaOf } from "../dist/vote/decided.js";
import { tally, winners } from "../dist/vote/tally.js";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    queries: { type: "string", default: "64" },
    samples: { type: "string", default: "32" },
    "flip-risk": { type: "string", default: "0.002" },
    "at-once": { type: "string" },
    concurrency: { type: "string" },
    "prefix-cache": { type: "string", default: "512" },
    json: { type: "boolean", default: false },
  },
});
const numberOf = (name) => (values[name] === undefined ? undefined : Number(values[name]));
const [rounds, queries, k, flipRisk] = ["rounds", "queries", "samples", "flip-risk"].map(numberOf);
const concurrency = numberOf("concurrency");

const firstItem = 10_000; // behind those that the rule was tried on

/** The winner of some samples; undefined where several share the highest score, or none has one. */
function winnerOf(samples, responses) {
  const { scores } = tally(samples, responses, { kMeta: kMetaOf(samples.length, { k }) });
  const [best, ...tied] = scores === null ? [] : winners(scores);
  return tied.length === 0 ? best : undefined;
}

async function timed(grm, items, options) {
  const [start, before] = [performance.now(), process.cpuUsage()];
  const verdicts = [];
  for await (const verdict of grm.judgeMany(items, { k, ...options })) verdicts.push(verdict);
  const { user, system } = process.cpuUsage(before);
  return { verdicts, seconds: (performance.now() - start) / 1000, cpu: (user + system) / 1e6 };
}

async function measure(name, meta) {
  const grm = await Grm.load({ meta, prefixCacheTokens: numberOf("prefix-cache") });
  const earlyStop = { flipRisk, atOnce: numberOf("at-once") };
  const taken = { fixed: [], oneByOne: [], early: [] };
  let [drawn, abandoned, generated, otherTexts, clear] = [0, 0, 0, 0, 0];
  const same = { early: 0, stopped: 0, oneByOne: 0 };
  try {
    for (let round = 0; round < rounds; round++) {
      const items = heldOutItems(queries, undefined, firstItem + round * queries).map(
        ({ query, responses }) => ({
          query,
          responses,
        }),
      );
      const seed = round * queries * k;
      const contenders = [
        ["fixed", { seed, concurrency }],
        ["oneByOne", { seed, concurrency: 1 }],
        ["early", { seed, concurrency, earlyStop }],
      ];
      if (round % 2 === 1) contenders.reverse();
      const now = {};
      for (const [contender, options] of contenders) {
        now[contender] = await timed(grm, items, options);
        taken[contender].push(now[contender]);
        console.error(`${name}, round ${round + 1}: ${contender} ${now[contender].seconds.toFixed(1)} s`);
      }
      for (const [index, whole] of now.fixed.verdicts.entries()) {
        const verdict = now.early.verdicts[index];
        drawn += verdict.drawn;
        abandoned += verdict.usage.abandonedTokens;
        generated += verdict.usage.generatedTokens;
        otherTexts += verdict.samples.filter(
          ({ text }, sample) => text !== whole.samples[sample].text,
        ).length;
        const winner = (samples) => winnerOf(samples, items[index].responses.length);
        const best = winner(whole.samples);
        if (best === undefined) continue;
        clear++;
        if (winner(verdict.samples) === best) same.early++;
        if (winner(whole.samples.slice(0, verdict.drawn)) === best) same.stopped++;
        if (winner(now.oneByOne.verdicts[index].samples) === best) same.oneByOne++;
      }
    }
  } finally {
    await grm.close();
  }
  const ratio = (who, what) =>
    ratioOf(
      taken[who].map((one) => one[what]),
      taken.early.map((one) => one[what]),
    );
  return {
    name: `early-stop-${queries}-queries-k${k}-${name}`,
    peer: `all ${k} samples`,
    drawn: drawn / (rounds * queries),
    abandonedShare: abandoned / generated,
    otherTexts: otherTexts / drawn,
    same: same.early / clear,
    clear,
    interval: wilson(same.early / clear, clear),
    sameOfItsOwnSamples: same.stopped / clear,
    sameOneByOne: same.oneByOne / clear,
    seconds: ratio("fixed", "seconds"),
    cpu: ratio("fixed", "cpu"),
    secondsOneByOne: ratio("oneByOne", "seconds"),
    verdictsPerSecond: Object.fromEntries(
      Object.entries(taken).map(([who, all]) => [who, spreadOf(all.map(({ seconds }) => queries / seconds))]),
    ),
  };
}

const loadBefore = loadavg()[0];
const cases = [await measure("votes", null), await measure("meta-rm", "fused")];
const machine = `${cpus()[0].model.trim()}, ${cpus().length} cores`;
const result = {
  machine,
  load: [loadBefore, loadavg()[0]],
  flipRisk,
  concurrency: concurrency ?? null,
  cases,
};
const range = ({ median, spread }) => [median, ...spread].map((value) => value.toFixed(2));
if (values.json) {
  console.log(JSON.stringify(result));
} else {
  console.log(`${machine}, load ${result.load.map((load) => load.toFixed(1)).join(" and ")}`);
  for (const { name, drawn, abandonedShare, otherTexts, same, clear, interval, ...more } of cases) {
    const [time, processor, oneByOne] = [more.seconds, more.cpu, more.secondsOneByOne]
      .map(range)
      .map(([middle, ...ends]) => `${middle} (${ends.join(" - ")})`);
    const percent = (share) => (100 * share).toFixed(1);
    console.log(
      `${name}, ${more.seconds.n} rounds:
  ${drawn.toFixed(1)} samples drawn, ${percent(abandonedShare)}% of the tokens in vain
  same winner ${percent(same)}% (${interval.map(percent).join(" - ")}) of ${clear}; of as many of the ${k} samples themselves ${percent(more.sameOfItsOwnSamples)}%; of all ${k} one query after the other ${percent(more.sameOneByOne)}%; ${percent(otherTexts)}% of the samples have another text, as their batch was another one
  ${time} times as fast, ${processor} in processor time, ${oneByOne} than one query after the other`,
    );
  }
}
