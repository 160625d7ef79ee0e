#pragma once

#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <vector>

#include "seeded_rows.h"
#include "train/grpo.h"
#include "train/losses.h"

namespace spct {

// Rows of logits with a target and a policy token each: clipped on either side, on policy, without a share in the loss.
struct TokenRows {
  int32_t n_vocab;
  std::vector<float> logits;  // [targets, n_vocab]
  std::vector<int32_t> targets;
  std::vector<PolicyToken> tokens;

  int64_t rows() const { return static_cast<int64_t>(targets.size()); }
};

constexpr RowShape finite_row_shapes[] = {RowShape::flat,         RowShape::peaky,   RowShape::wide,
                                          RowShape::ties,         RowShape::equal,   RowShape::striped,
                                          RowShape::two_clusters, RowShape::denormal};

// Three rows for each shape and ratio to the old policy.
inline TokenRows seeded_token_rows(int32_t n_vocab, double temperature,
                                   std::initializer_list<double> ratios = {0.5, 0.81, 1.0, 1.19, 2.0}) {
  TokenRows all{n_vocab, {}, {}, {}};
  std::mt19937 engine(n_vocab);
  for (const RowShape shape : finite_row_shapes) {
    const std::vector<float> row = seeded_row(shape, n_vocab, 17 + n_vocab);
    for (const double ratio : ratios) {
      for (const double advantage : {-1.5, 0.0, 0.7}) {
        const int32_t target = static_cast<int32_t>(engine() % n_vocab);
        double log_probability = 0;
        token_log_probabilities_cpu(row.data(), &target, 1, n_vocab, temperature, &log_probability, nullptr);
        PolicyToken token;
        token.old = log_probability - std::log(ratio);
        token.reference = log_probability + (engine() % 2 == 0 ? 1 : -1) * (0.3 + (engine() % 700) / 1000.0);
        token.advantage = advantage;
        token.scale = all.targets.size() % 7 == 3 ? 0.0 : 1.0 / (1.0 + engine() % 5);
        token.on_policy = ratio == 1.0 && advantage < 0;
        all.logits.insert(all.logits.end(), row.begin(), row.end());
        all.targets.push_back(target);
        all.tokens.push_back(token);
      }
    }
  }
  return all;
}

// What the CPU's policy loss makes of the rows.
struct PolicyLossOfRows {
  std::vector<float> gradients;  // as the logits
  std::vector<double> log_probabilities, entropies;

  PolicyLossOfRows(const TokenRows& rows, const GrpoOptions& options)
      : gradients(rows.logits), log_probabilities(rows.targets.size()), entropies(rows.targets.size()) {
    policy_loss_cpu(gradients.data(), rows.targets.data(), rows.tokens.data(), rows.rows(), rows.n_vocab, options,
                    log_probabilities.data(), entropies.data());
  }
};

// d(loss)/d(logit) of each row's target, but for the softmax.
inline std::vector<double> policy_slopes(const TokenRows& rows, const std::vector<double>& log_probabilities,
                                         const GrpoOptions& options) {
  std::vector<double> slopes;
  for (size_t row = 0; row < rows.targets.size(); ++row) {
    const double gradient = grpo_token_loss(log_probabilities[row], rows.tokens[row], options).gradient;
    slopes.push_back(rows.tokens[row].scale * gradient / options.temperature);
  }
  return slopes;
}

// The largest difference of a gradient, relative to what is expected or to a share of its row's slope: to a tenth of it
// at the target, where 1 - p cancels, to a twenty thousandth elsewhere, where p is small.
inline double gradient_difference(const TokenRows& rows, const std::vector<double>& slopes,
                                  const std::vector<float>& found, const std::vector<float>& expected) {
  double largest = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    const size_t row = i / static_cast<size_t>(rows.n_vocab);
    const bool is_target = i % static_cast<size_t>(rows.n_vocab) == static_cast<size_t>(rows.targets[row]);
    const double unit = std::fabs(double{expected[i]}) + std::fabs(slopes[row]) * (is_target ? 0.1 : 5e-5);
    if (found[i] == expected[i]) continue;
    const double share = std::fabs(double{found[i]} - expected[i]) / unit;
    if (!(share <= largest)) largest = share;
  }
  return largest;
}

}  // namespace spct
