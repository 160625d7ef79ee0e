#include <algorithm>
#include <cmath>

#include "error.h"
#include "train/parallel.h"
#include "train/trainer.h"

namespace spct {
namespace {

// A sampler may round the log-probability of a sure token to just above 0.
constexpr float rounding = 1e-3f;

void check_rollout(const Sequence& sequence, const Rollout& rollout, bool needs_reference) {
  const size_t tokens = static_cast<size_t>(sequence.completion_size());
  const size_t references = rollout.reference_log_probabilities.size();
  const size_t old = rollout.old_log_probabilities.size();
  if (rollout.mask.size() != tokens || (old != tokens && old > 0) ||
      (references != tokens && (needs_reference || references > 0))) {
    throw Error("INVALID_ARGUMENT",
                "Expected a mask, an old (or none at all) and (unless beta is 0) a reference "
                "log-probability for " +
                    std::to_string(tokens) + " completion tokens");
  }
  if (!std::isfinite(rollout.advantage)) throw Error("INVALID_ARGUMENT", "Expected finite advantages");
  const auto check_values = [&](const std::vector<float>& values) {
    for (size_t i = 0; i < values.size(); ++i) {
      if (rollout.mask[i] && !(std::isfinite(values[i]) && values[i] <= rounding)) {
        throw Error("INVALID_ARGUMENT", "Expected finite log-probabilities of at most 0");
      }
    }
  };
  check_values(rollout.old_log_probabilities);
  check_values(rollout.reference_log_probabilities);
}

struct Totals {
  double loss = 0;
  double kl = 0;
  double entropy = 0;
  double clipped = 0;
};

// What the loss of each token of a micro-batch needs.
std::vector<PolicyToken> tokens_of(const std::vector<const Rollout*>& rollouts, const std::vector<double>& scales,
                                   const GrpoOptions& options) {
  std::vector<PolicyToken> tokens;
  for (size_t sequence = 0; sequence < rollouts.size(); ++sequence) {
    const Rollout& rollout = *rollouts[sequence];
    for (size_t at = 0; at < rollout.mask.size(); ++at) {
      PolicyToken token;
      token.on_policy = rollout.old_log_probabilities.empty();
      if (!token.on_policy) token.old = rollout.old_log_probabilities[at];
      if (options.beta > 0) token.reference = rollout.reference_log_probabilities[at];
      token.advantage = rollout.advantage;
      token.scale = rollout.mask[at] ? scales[sequence] : 0.0;
      tokens.push_back(token);
    }
  }
  return tokens;
}

void add_totals(const std::vector<PolicyToken>& tokens, const TokenProbabilities& found, const GrpoOptions& options,
                Totals& totals) {
  double loss = 0;
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i].scale == 0) continue;
    const GrpoTokenLoss token = grpo_token_loss(found.log_probabilities[i], tokens[i], options);
    loss += tokens[i].scale * token.loss;
    totals.kl += token.kl;
    totals.entropy += found.entropies[i];
    totals.clipped += token.clipped;
  }
  totals.loss += loss;
}

}  // namespace

PolicyStepResult Trainer::policy_step(const std::vector<Sequence>& sequences, const std::vector<Rollout>& rollouts,
                                      const GrpoOptions& options, float learning_rate) {
  check(sequences);
  check_grpo_options(options);
  if (rollouts.size() != sequences.size()) throw Error("INVALID_ARGUMENT", "Expected one rollout for each sequence");
  PolicyStepResult result;
  std::vector<int64_t> counted;
  for (size_t i = 0; i < sequences.size(); ++i) {
    check_rollout(sequences[i], rollouts[i], options.beta > 0);
    counted.push_back(rollouts[i].mask.size() - std::count(rollouts[i].mask.begin(), rollouts[i].mask.end(), 0));
    result.tokens += sequences[i].size();
    result.completion_tokens += counted.back();
  }
  const std::vector<double> scales = grpo_scales(counted, options);
  std::vector<Totals> totals(workers_.size());
  accumulate(sequences, [&](size_t worker, const std::vector<size_t>& micro_batch) {
    std::vector<const Rollout*> part;
    std::vector<double> part_scales;
    for (const size_t index : micro_batch) {
      part.push_back(&rollouts[index]);
      part_scales.push_back(scales[index]);
    }
    const std::vector<PolicyToken> tokens = tokens_of(part, part_scales, options);
    const TokenProbabilities found =
        workers_[worker]->accumulate_policy(select(sequences, micro_batch), tokens, options);
    add_totals(tokens, found, options, totals[worker]);
  });
  const double tokens = static_cast<double>(std::max<int64_t>(1, result.completion_tokens));
  for (const Totals& total : totals) {
    result.loss += total.loss;
    result.kl += total.kl / tokens;
    result.entropy += total.entropy / tokens;
    result.clipped += total.clipped / tokens;
  }
  result.gradient_norm = update(learning_rate);
  return result;
}

std::vector<float> Trainer::log_probabilities(const std::vector<Sequence>& sequences, double temperature) {
  check(sequences);
  if (!(std::isfinite(temperature) && temperature > 0)) {
    throw Error("INVALID_ARGUMENT", "Expected a finite temperature above 0");
  }
  std::vector<std::vector<float>> found(sequences.size());
  const std::vector<Share> shares = divide(sequences);
  run_workers(workers_.size(), [&](size_t worker) {
    for (const auto& micro_batch : shares[worker]) {
      const std::vector<double> values =
          workers_[worker]->completion_log_probabilities(select(sequences, micro_batch), temperature);
      auto next = values.begin();
      for (const size_t index : micro_batch) {
        const auto end = next + sequences[index].completion_size();
        found[index].assign(next, end);
        next = end;
      }
    }
  });
  std::vector<float> joined;
  for (const std::vector<float>& values : found) joined.insert(joined.end(), values.begin(), values.end());
  return joined;
}

}  // namespace spct
