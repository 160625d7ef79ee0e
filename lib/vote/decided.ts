import { type Ballot, defaultKMeta, tally, winners } from "./tally.js";

/** The whole vote that a beginning of it is to foretell. */
export interface WholeVote {
  /** Ballots in all. */
  k: number;
  responses: number;
  /** How many of all the meta RM lets in. Default half. */
  kMeta?: number | undefined;
  /** What ballots are: points, or votes (1 for one response and 0 for the others; of a single one, 1 or 0). */
  kind: "points" | "votes";
}

/** Ballots between two looks: fewer tell too little about how far they scatter. */
const leastBetweenLooks = 4;

/** After how many ballots a vote of k is looked at: every ordering has been shown equally often, so that a preference for a
 * position does not look like one for a response. */
export function looksAt(k: number, orderings: number): number[] {
  const step = ballotsBetweenLooks(orderings);
  return Array.from({ length: Math.max(0, Math.ceil(k / step) - 1) }, (_, look) => (look + 1) * step);
}

export function ballotsBetweenLooks(orderings: number): number {
  return orderings * Math.ceil(leastBetweenLooks / orderings);
}

/** How many of the first `drawn` of k ballots the meta RM lets in: the same share as of all. */
export function kMetaOf(drawn: number, { k, kMeta }: Pick<WholeVote, "k" | "kMeta">): number {
  return kMeta === undefined ? defaultKMeta(drawn) : Math.max(1, Math.floor((drawn * kMeta) / k));
}

/**
 * Whether the first ballots decide the vote: for every rival of the leading response, the probability that k ballots would not
 * leave it behind is estimated below `risk`. A caller that looks L times at a vote with R rivals gives each test the share
 * 1 / (L R) of what it risks for the item: then the item's risk is at most their sum.
 *
 * The lead over a rival after k ballots is estimated by the mean lead so far, carried on; its variance is that of the k - m
 * ballots to come and of the mean of the m seen. Few ballots may agree by chance: a fifth of a unit's square is added to their
 * squared distances from the mean, and the tail is that of Student's t, with two degrees of freedom more than ballots counted.
 * This is an estimate and no theorem: scores are neither normal nor of one kind (`npm run check:early-stop` measures it).
 */
export function isDecided(ballots: readonly Ballot[], vote: WholeVote, risk: number): boolean {
  const { k, kind, responses } = vote;
  const { scores, counted } = tally(ballots, responses, { kMeta: kMetaOf(ballots.length, vote) });
  if (scores === null) return false;
  const leads = leadsOf(scores, counted.length, kind);
  const riskOf = (lead: Lead) =>
    flipRisk(contributions(ballots, counted, lead), k, units[kind], counted.length + 2);
  return leads.length > 0 && leads.every((lead) => riskOf(lead) < risk);
}

/** How far apart two ballots are that are not the same: a point; for votes, the lead that a vote for the other one takes away. */
const units = { points: 1, votes: 2 };

type Lead = (scores: Ballot["scores"] & {}) => number;

/** The lead of the first over each other, in one ballot. None where the first is not alone, or has no rival. */
function leadsOf(scores: readonly number[], ballots: number, kind: WholeVote["kind"]): Lead[] {
  const [best, ...tied] = winners(scores);
  if (tied.length > 0) return [];
  if (scores.length > 1) {
    const rivals = [...scores.keys()].filter((response) => response !== best);
    return rivals.map((rival) => (given) => (given[best!] ?? 0) - (given[rival] ?? 0));
  }
  // Of a single response votes are for or against it.
  const majority = Math.sign(2 * scores[0]! - ballots);
  return kind === "points" || majority === 0 ? [] : [(given) => majority * (2 * (given[0] ?? 0) - 1)];
}

/**
 * What each ballot adds to the lead of the counted ones. Where the meta RM leaves some out, a ballot that comes in pushes another
 * one out: it adds what it has beyond a ballot at the threshold (the influence function of the mean above a quantile).
 */
function contributions(ballots: readonly Ballot[], counted: readonly number[], lead: Lead): number[] {
  const leads = ballots.map(({ scores }) => (scores === null ? null : lead(scores)));
  const valid = leads.filter((one) => one !== null);
  if (counted.length === valid.length) return leads.map((one) => one ?? 0);
  const atThreshold = valid.reduce((sum, one) => sum + one, 0) / valid.length;
  const share = (counted.length / ballots.length) * atThreshold;
  const kept = new Set(counted);
  return leads.map((one, index) => share + (kept.has(index) ? one! - atThreshold : 0));
}

/** How likely the sum of k values is not above 0, of which the first are given. */
function flipRisk(seen: readonly number[], k: number, unit: number, freedom: number): number {
  const m = seen.length;
  const mean = seen.reduce((sum, value) => sum + value, 0) / m;
  const squares = seen.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const variance = (squares + unit ** 2 / 5) / m;
  return upperTail((k * mean) / Math.sqrt(variance * (k - m + (k - m) ** 2 / m)), freedom);
}

/** P(T > t) of Student's t with a whole number of degrees of freedom, by its finite series. */
function upperTail(t: number, freedom: number): number {
  const angle = Math.atan2(t, Math.sqrt(freedom));
  const [sine, cosine] = [Math.sin(angle), Math.cos(angle)];
  const odd = freedom % 2;
  let term = odd === 1 ? cosine : 1;
  let sum = 0;
  for (let power = odd; power <= freedom - 2; power += 2) {
    sum += term;
    term *= (cosine ** 2 * (power + 1)) / (power + 2);
  }
  const within = odd === 1 ? (2 / Math.PI) * (angle + sine * sum) : sine * sum;
  return (1 - within) / 2;
}
