import { creditOfVote, type TiePolicy, type Unvoted } from "../vote/metrics.js";
import { type Figures, kMetaOfBeginning, Summarizer, type SummaryOptions } from "../vote/summary.js";
import { tally, winners } from "../vote/tally.js";
import { AucSample } from "./auc.js";
import type { BadRowNote, Benchmark, JudgedItem, Score } from "./benchmark.js";
import { Curve, type CurvePoint } from "./curve.js";
import type { JoinCounts, JoinedJudgement } from "./join.js";
import { type Agreement, AgreementMeasure } from "./measures/agreement.js";
import { type FeatureBias, FeatureMeasure } from "./measures/feature.js";
import { MarginMeasure, type MarginReport } from "./measures/margin.js";
import { type EveryPair, PairMeasure } from "./measures/pairs.js";
import { type PositionBias, PositionMeasure } from "./measures/position.js";
import { TextMeasure, type TextReport } from "./measures/texts.js";
import { type Validity, ValidityMeasure } from "./measures/validity.js";
import { type Interval, wilson } from "./statistics.js";

export interface MeasuredFigures extends Figures {
  accuracyInterval: Interval | null;
  aucInterval: Interval | null;
}

/** What is known about a judge on a benchmark, from data and judgements alone. Shares are in [0, 1], intervals cover 95%. The
 * figures themselves and those of subsets are the vote's, which leaves out items without a vote; in all others such an item
 * is wrong, unless it is to be left out there too. */
export interface Metrics extends MeasuredFigures {
  bySubset: Record<string, MeasuredFigures>;
  benchmark: string;
  /** The benchmark's own figures; the first is its headline. */
  scores: Score[];
  tiePolicies: Record<TiePolicy, { accuracy: number | null; interval: Interval | null }>;
  /** Most samples that an item was voted with. */
  k: number;
  curve: CurvePoint[];
  validity: Validity;
  agreement: Agreement;
  margin: MarginReport;
  bias: { position: PositionBias; length: FeatureBias; style: FeatureBias };
  everyPair: EveryPair;
  texts: TextReport;
  missing: number;
  unknown: number;
  bad: { count: number; first: BadRowNote[] };
  options: {
    k: number | null;
    kMeta: number | null;
    ties: TiePolicy;
    unvoted: Unvoted;
    aggregate: string;
    seed: number;
  };
}

const tiePolicies: TiePolicy[] = ["lose", "share", "random"];

/** Gathers the figures of a run, one judgement after the other. */
export class Evaluation {
  readonly #options: SummaryOptions &
    Required<Pick<SummaryOptions, "ties" | "unvoted" | "aggregate" | "seed">>;
  readonly #benchmark: Benchmark;
  readonly #summarizer: Summarizer;
  readonly #aggregator;
  readonly #curve: Curve;
  readonly #aucs = new Map<string, AucSample>();
  readonly #policies = tiePolicies.map((policy) => ({ policy, sum: 0, items: 0 }));
  readonly #validity = new ValidityMeasure();
  readonly #agreement = new AgreementMeasure();
  readonly #margin = new MarginMeasure();
  readonly #position = new PositionMeasure();
  readonly #length = new FeatureMeasure(({ lengths }) => lengths);
  readonly #style = new FeatureMeasure(({ marks }) => marks);
  readonly #pairs = new PairMeasure();
  readonly #texts = new TextMeasure();
  readonly #allAuc = new AucSample();
  #items = 0;
  #most = 0;

  constructor(benchmark: Benchmark, options: SummaryOptions = {}) {
    this.#benchmark = benchmark;
    this.#options = { ties: "share", unvoted: "wrong", aggregate: "sum", seed: 0, ...options };
    this.#summarizer = new Summarizer({ ...this.#options, unvoted: "skip" });
    this.#aggregator = benchmark.aggregator();
    this.#curve = new Curve(benchmark, this.#options);
  }

  /** Returns the item with its vote. */
  add({ record, facts }: Pick<JoinedJudgement, "record" | "facts">): JudgedItem {
    const { k, kMeta, unvoted, aggregate, seed } = this.#options;
    const samples = record.samples.slice(0, k);
    const position = this.#items++;
    const subset = facts.subset ?? record.subset;
    const { label } = facts;
    const asked = Math.min(k ?? Number.POSITIVE_INFINITY, record.k ?? record.samples.length);
    this.#most = Math.max(this.#most, samples.length);
    this.#summarizer.add({ subset, n: record.n, label, k: record.k, samples });
    const correct = label === null ? null : [label].flat();
    const votes = tally(samples, record.n, { aggregate, kMeta: kMetaOfBeginning(record, { k, kMeta }) });
    const judged: JudgedItem = {
      id: facts.id,
      subset: subset ?? "all",
      n: record.n,
      correct,
      tally: votes,
      credit: creditOfVote(votes.scores, { correct, n: record.n }, this.#options, seed, position),
      samples,
    };
    for (const one of this.#policies) {
      const points = creditOfVote(votes.scores, judged, { ties: one.policy, unvoted }, seed, position);
      if (points === null) continue;
      one.sum += points;
      one.items++;
    }
    this.#addAuc(judged);
    this.#aggregator.add(judged);
    this.#curve.add(judged, samples, position, asked);
    const measures = [
      this.#validity,
      this.#agreement,
      this.#margin,
      this.#position,
      this.#pairs,
      this.#texts,
    ];
    for (const measure of measures) measure.add(judged);
    for (const measure of [this.#length, this.#style]) measure.add(judged, facts);
    return judged;
  }

  #addAuc({ subset, tally: votes, correct }: JudgedItem): void {
    if (votes.scores === null || correct === null) return;
    const own = this.#aucs.get(subset) ?? new AucSample();
    this.#aucs.set(subset, own);
    for (const sample of [own, this.#allAuc]) sample.add(votes.means as number[], correct);
  }

  /** Accuracy so far, for showing progress. */
  get accuracy(): number | null {
    const shared = this.#policies.find(({ policy }) => policy === this.#options.ties)!;
    return shared.items === 0 ? null : shared.sum / shared.items;
  }

  metrics(counts: JoinCounts, bad: Metrics["bad"]): Metrics {
    const { bySubset, ...all } = this.#summarizer.summary();
    const { k = null, kMeta = null, ties, unvoted, aggregate, seed } = this.#options;
    return {
      ...withIntervals(all, this.#allAuc),
      bySubset: Object.fromEntries(
        Object.entries(bySubset).map(([name, figures]) => [
          name,
          withIntervals(figures, this.#aucs.get(name)),
        ]),
      ),
      benchmark: this.#benchmark.name,
      scores: this.#aggregator.scores(),
      tiePolicies: Object.fromEntries(
        this.#policies.map(({ policy, sum, items }) => [
          policy,
          {
            accuracy: items === 0 ? null : sum / items,
            interval: items === 0 ? null : wilson(sum / items, items),
          },
        ]),
      ) as Metrics["tiePolicies"],
      k: this.#most,
      curve: this.#curve.points(),
      validity: this.#validity.result(),
      agreement: this.#agreement.result(),
      margin: this.#margin.result(),
      bias: {
        position: this.#position.result(),
        length: this.#length.result(),
        style: this.#style.result(),
      },
      everyPair: this.#pairs.result(),
      texts: this.#texts.result(),
      ...counts,
      bad,
      options: { k, kMeta, ties, unvoted, aggregate, seed },
    };
  }
}

/** Whether the vote of an item is shared by several responses. */
export function isTied({ tally: { scores } }: JudgedItem): boolean {
  return scores !== null && winners(scores).length > 1;
}

function withIntervals(figures: Figures, auc: AucSample | undefined): MeasuredFigures {
  const { accuracy, labelled } = figures;
  return {
    ...figures,
    accuracyInterval: accuracy === null ? null : wilson(accuracy, labelled),
    aucInterval: auc?.interval() ?? null,
  };
}
