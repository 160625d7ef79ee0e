export type {
  Engine,
  EngineInfo,
  RequestUsage,
  SampleRequest,
  SampleSpec,
  Sampling,
  ScoreOptions,
} from "./engine/engine.js";
export { LocalEngine } from "./engine/local.js";
export { ProcessEngine } from "./engine/process.js";
export { RemoteEngine } from "./engine/remote.js";
export type { RemoteEngineOptions } from "./engine/remote_options.js";
export { type ErrorCode, SpctError } from "./errors.js";
export type { Benchmark, Item, Score } from "./eval/benchmark.js";
export { benchmarks, findBenchmark } from "./eval/benchmarks/index.js";
export { type EvaluateOptions, evaluate } from "./eval/evaluate.js";
export type { Metrics } from "./eval/evaluation.js";
export { type JudgementParts, readParts } from "./extract/parts.js";
export { type Extraction, type ExtractionOptions, extractScores, extractWinner } from "./extract/scores.js";
export { Grm } from "./judge.js";
export { PromptTemplate, type PromptVariables } from "./prompt/template.js";
export { type JudgementRecord, readJudgements, type SampleRecord, toRecord } from "./records.js";
export { type RewardBatch, type RewardFunctionOptions, rewardFunction } from "./reward_function.js";
export { type Critique, RewardModel } from "./reward_model.js";
export type { EarlyStop, JudgeManyOptions, JudgeOptions, LoadOptions } from "./settings.js";
export { loadTemplate } from "./templates.js";
export { epochs, type ModelText, modelText, promptOf, toExample } from "./train/conversations.js";
export {
  type Conversation,
  type Example,
  type ExampleSource,
  readConversations,
  toBatch,
} from "./train/dataset.js";
export { LiveJudge } from "./train/live_judge.js";
export type {
  AdvantageScale,
  GrpoOptions,
  ModelShape,
  PolicyBatch,
  PolicyStepResult,
  StepResult,
  TokenBatch,
} from "./train/native.js";
export {
  type RftCounts,
  type RftModels,
  type RftOptions,
  type RftReport,
  type RftResult,
  rft,
} from "./train/rft.js";
export { type RlOptions, type RlReport, type RlResult, trainRl } from "./train/rl.js";
export { type RlItem, readRlItems, ruleReward } from "./train/rl_items.js";
export { type RolloutOptions, rollOut, type Trajectory } from "./train/rollouts.js";
export { learningRate, type Schedule } from "./train/schedule.js";
export { type SftOptions, type SftReport, type SftResult, trainSft } from "./train/sft.js";
export { createTrainer, groupAdvantages, openTrainer, type Trainer } from "./train/trainer.js";
export type * from "./types.js";
export { rocAuc, type TiePolicy } from "./vote/metrics.js";
export { Summarizer, type Summary, type SummaryOptions } from "./vote/summary.js";
export { type Aggregate, type Ballot, type Tally, type TallyOptions, tally, winners } from "./vote/tally.js";
