#include <algorithm>
#include <cmath>
#include <numeric>

#include "error.h"
#include "train/grpo_token.h"

namespace spct {
namespace {

// log(sum of exp(logits / temperature)).
double log_partition(const float* logits, int64_t vocabulary, double temperature) {
  double highest = logits[0];
  for (int64_t i = 0; i < vocabulary; ++i) {
    if (!std::isfinite(logits[i])) throw Error("LOSS_NOT_FINITE", "The model's logits are not finite numbers");
    highest = std::max(highest, double{logits[i]});
  }
  double sum = 0;
  for (int64_t i = 0; i < vocabulary; ++i) sum += std::exp((logits[i] - highest) / temperature);
  return highest / temperature + std::log(sum);
}

}  // namespace

void check_grpo_options(const GrpoOptions& options) {
  const auto require = [](bool holds, const char* message) {
    if (!holds) throw Error("INVALID_ARGUMENT", message);
  };
  require(std::isfinite(options.beta) && options.beta >= 0, "Expected a finite beta of at least 0");
  require(options.epsilon_low >= 0 && options.epsilon_low <= 1, "Expected a lower clip range from 0 to 1");
  require(std::isfinite(options.epsilon_high) && options.epsilon_high >= 0,
          "Expected a finite upper clip range of at least 0");
  require(options.normalization != GrpoNormalization::dr_grpo || options.max_completion_tokens > 0,
          "Expected maxCompletionTokens of at least 1 for dr_grpo");
  require(std::isfinite(options.temperature) && options.temperature > 0, "Expected a finite temperature above 0");
  require(options.total_tokens >= 0, "Expected totalTokens of at least 0");
}

GrpoTokenLoss grpo_token_loss(double policy, const PolicyToken& token, const GrpoOptions& options) {
  const GrpoTokenLoss result = unchecked_token_loss(policy, token, options);
  if (!std::isfinite(result.loss) || !std::isfinite(result.gradient)) {
    throw Error("LOSS_NOT_FINITE", "The loss is not a finite number; lower the learning rate");
  }
  return result;
}

std::vector<double> grpo_scales(const std::vector<int64_t>& tokens, const GrpoOptions& options) {
  const double sequences = static_cast<double>(tokens.size());
  const int64_t batch_tokens = std::accumulate(tokens.begin(), tokens.end(), int64_t{0});
  const auto divisor = [&](int64_t own) -> double {
    switch (options.normalization) {
      case GrpoNormalization::grpo: return static_cast<double>(own) * sequences;
      case GrpoNormalization::bnpo: return static_cast<double>(batch_tokens);
      case GrpoNormalization::dr_grpo: return static_cast<double>(options.max_completion_tokens) * sequences;
      case GrpoNormalization::dapo:
        return static_cast<double>(options.total_tokens > 0 ? options.total_tokens : batch_tokens);
    }
    throw Error("INVALID_ARGUMENT", "Expected one of the known normalizations");
  };
  std::vector<double> scales;
  for (const int64_t own : tokens) scales.push_back(own == 0 ? 0.0 : 1.0 / divisor(own));
  return scales;
}

void token_log_probabilities_cpu(const float* logits, const int32_t* targets, int64_t rows, int64_t vocabulary,
                                 double temperature, double* log_probabilities, double* entropies) {
  for (int64_t row = 0; row < rows; ++row) {
    const float* z = logits + row * vocabulary;
    const double partition = log_partition(z, vocabulary, temperature);
    log_probabilities[row] = z[targets[row]] / temperature - partition;
    if (!entropies) continue;
    double entropy = 0;
    for (int64_t i = 0; i < vocabulary; ++i) {
      const double log_probability = z[i] / temperature - partition;
      entropy -= std::exp(log_probability) * log_probability;
    }
    entropies[row] = entropy;
  }
}

void policy_gradient_cpu(float* logits, const int32_t* targets, const double* gradients, int64_t rows,
                         int64_t vocabulary, double temperature) {
  for (int64_t row = 0; row < rows; ++row) {
    float* z = logits + row * vocabulary;
    const double factor = gradients[row] / temperature;
    if (factor == 0) {
      std::fill_n(z, vocabulary, 0.0f);
      continue;
    }
    const double partition = log_partition(z, vocabulary, temperature);
    for (int64_t i = 0; i < vocabulary; ++i) {
      z[i] = static_cast<float>(-factor * std::exp(z[i] / temperature - partition));
    }
    z[targets[row]] += static_cast<float>(factor);
  }
}

void policy_loss_cpu(float* logits, const int32_t* targets, const PolicyToken* tokens, int64_t rows, int64_t vocabulary,
                     const GrpoOptions& options, double* log_probabilities, double* entropies) {
  token_log_probabilities_cpu(logits, targets, rows, vocabulary, options.temperature, log_probabilities, entropies);
  std::vector<double> gradients(static_cast<size_t>(rows), 0.0);
  for (int64_t row = 0; row < rows; ++row) {
    if (tokens[row].scale == 0) continue;
    gradients[row] = tokens[row].scale * grpo_token_loss(log_probabilities[row], tokens[row], options).gradient;
  }
  policy_gradient_cpu(logits, targets, gradients.data(), rows, vocabulary, options.temperature);
}

}  // namespace spct
