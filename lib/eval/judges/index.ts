import { invalidArgument } from "../../errors.js";
import { AllPairs } from "./all_pairs.js";
import { GrmJudge, type GrmJudgeOptions } from "./grm.js";
import type { JudgeKind } from "./judge.js";
import { PairwiseScalarJudge } from "./pairwise_scalar.js";
import { ScalarJudge } from "./scalar.js";
import { SemiScalarJudge } from "./semi_scalar.js";
import { TokenProbabilityJudge } from "./token_probability.js";

/** The judges that differ in what the one prompt of all responses asks for. */
function grm(name: string, summary: string, asked: Partial<GrmJudgeOptions> = {}): JudgeKind {
  const load: JudgeKind["load"] = (options, request) => GrmJudge.load(options, { ...request, ...asked });
  return { name, summary, stopsEarly: true, load };
}

function headJudge(name: string, summary: string, load: JudgeKind["load"]): JudgeKind {
  return { name, summary, stopsEarly: false, load };
}

/** What `spct eval --judge` knows. */
export const judgeKinds: readonly JudgeKind[] = [
  grm("grm", "pointwise: principles, critique, a score for each response"),
  grm("no-principles", "the same without principles", { principles: false }),
  grm("given-principles", "the same by the principles of --principles, or of each row", {
    needsPrinciples: true,
  }),
  grm("correctness", "a single response on 0 and 1", { answer: "correctness" }),
  {
    name: "pairwise",
    summary: "LLM-as-a-judge: the winner of each pair, by majority",
    stopsEarly: false, // each pair has votes of its own, which add up to the item's
    load: async (load, request) =>
      new AllPairs("pairwise", await GrmJudge.load(load, { ...request, answer: "winner" })),
  },
  headJudge("scalar", "a Bradley-Terry head on each response", ScalarJudge.load),
  headJudge("semi-scalar", "a head on sampled critiques, their mean", SemiScalarJudge.load),
  headJudge("pairwise-scalar", "a head on both responses of a pair", PairwiseScalarJudge.load),
  {
    name: "token-probability",
    summary: "pairwise by the probability of the verdict, behind a sampled critique",
    stopsEarly: false,
    load: async (load, request) =>
      new AllPairs("token-probability", await TokenProbabilityJudge.load(load, request)),
  },
  {
    name: "verdict-probability",
    summary: "pairwise by the probability of the verdict at once, once in each order",
    stopsEarly: false,
    load: async (load, request) =>
      new AllPairs(
        "verdict-probability",
        await TokenProbabilityJudge.load(load, request, "Winner: \\boxed{"),
      ),
  },
];

/** Throws INVALID_ARGUMENT for a name that is none of them. */
export function findJudgeKind(name: string): JudgeKind {
  const found = judgeKinds.find((kind) => kind.name === name);
  if (found !== undefined) return found;
  throw invalidArgument("judge", `one of ${judgeKinds.map((kind) => kind.name).join(", ")}`, name);
}
