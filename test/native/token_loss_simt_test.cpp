// The source of the CUDA token losses on the CPU, thread by thread, against their CPU twins.
#include "simt/simt.h"

#include <algorithm>
#include <cstdio>
#include <limits>
#include <vector>

#include "check.h"
#include "cuda/token_loss_kernel.cuh"
#include "token_rows.h"

using namespace spct;

namespace {

template <int threads>
std::vector<DeviceTokenProbability> run_kernel(const TokenRows& rows, const PolicyToken* tokens,
                                               const GrpoOptions& options, const float* logits, float* gradients,
                                               uint64_t order) {
  std::vector<DeviceTokenProbability> probabilities(rows.targets.size());
  simt::launch(static_cast<unsigned>(rows.rows()), threads, order, [&] {
    token_loss_rows<threads>(logits, rows.n_vocab, rows.targets.data(), tokens, options, probabilities.data(),
                             gradients);
  });
  return probabilities;
}

template <int threads>
void policy_loss_equals_the_cpu(const TokenRows& rows, double temperature, double beta, uint64_t order) {
  const int32_t n_vocab = rows.n_vocab;
  GrpoOptions options;
  options.beta = beta;
  options.epsilon_high = 0.3;
  options.temperature = temperature;
  const PolicyLossOfRows cpu(rows, options);
  const auto& [expected, log_probabilities, entropies] = cpu;

  std::vector<float> apart(rows.logits.size(), std::numeric_limits<float>::quiet_NaN());
  const auto found = run_kernel<threads>(rows, rows.tokens.data(), options, rows.logits.data(), apart.data(), order);
  const double difference = gradient_difference(rows, policy_slopes(rows, log_probabilities, options), apart, expected);
  double probability_difference = 0;
  double entropy_difference = 0;
  for (size_t row = 0; row < found.size(); ++row) {
    const double scale = 1 + std::fabs(log_probabilities[row]);
    probability_difference =
        std::max(probability_difference, std::fabs(found[row].log_probability - log_probabilities[row]) / scale);
    entropy_difference = std::max(entropy_difference, std::fabs(found[row].entropy - entropies[row]));
  }
  std::printf("V %6d, T %.1f, beta %.2f: gradient off by %.1e, log-probability %.1e, entropy %.1e\n", n_vocab,
              temperature, beta, difference, probability_difference, entropy_difference);
  CHECK(difference <= 2e-5);
  CHECK(probability_difference <= 5e-6);
  CHECK(entropy_difference <= 5e-5);

  std::vector<float> in_place = rows.logits;
  run_kernel<threads>(rows, rows.tokens.data(), options, in_place.data(), in_place.data(), order + 1);
  CHECK(in_place == apart);  // also: nothing depends on the order of the threads
}

template <int threads>
void nll_equals_the_cpu(int32_t n_vocab) {
  const TokenRows rows = seeded_token_rows(n_vocab, 1.0);
  const float scale = 0.25f;
  std::vector<float> expected(rows.logits.size());
  const double loss =
      nll_loss_cpu(rows.logits.data(), rows.targets.data(), rows.rows(), n_vocab, scale, expected.data());
  PolicyToken token;
  token.advantage = 1;
  token.scale = scale;
  token.on_policy = true;
  GrpoOptions options;
  options.beta = 0;
  const std::vector<PolicyToken> tokens(rows.targets.size(), token);
  std::vector<float> gradients = rows.logits;
  const auto found = run_kernel<threads>(rows, tokens.data(), options, gradients.data(), gradients.data(), 1);
  const std::vector<double> slopes(rows.targets.size(), scale);
  CHECK(gradient_difference(rows, slopes, gradients, expected) <= 2e-5);
  double sum = 0;
  for (const DeviceTokenProbability& row : found) sum -= row.log_probability;
  CHECK_NEAR(sum, loss, 2e-6 * (1 + loss));
}

// Without a loss only the probabilities are found.
void logits_stay_without_a_loss() {
  const TokenRows rows = seeded_token_rows(300, 0.5);
  GrpoOptions options;
  options.temperature = 0.5;
  std::vector<double> expected(rows.targets.size());
  token_log_probabilities_cpu(rows.logits.data(), rows.targets.data(), rows.rows(), 300, 0.5, expected.data(), nullptr);
  const auto found = run_kernel<64>(rows, nullptr, options, rows.logits.data(), nullptr, 2);
  for (size_t row = 0; row < found.size(); ++row) {
    CHECK_NEAR(found[row].log_probability, expected[row], 5e-6 * (1 + std::fabs(expected[row])));
  }
}

void extreme_rows() {
  const float most = std::numeric_limits<float>::max();
  TokenRows rows{70, std::vector<float>(3 * 70, 0.0f), {0, 1, 5}, std::vector<PolicyToken>(3)};
  rows.logits[0] = most;
  rows.logits[64] = -most;                           // the same thread's
  std::fill_n(rows.logits.begin() + 70, 70, -most);  // all equal
  rows.logits[2 * 70 + 5] = 1e4f;
  for (PolicyToken& token : rows.tokens) token = {0, 0, 1, 1, true};
  GrpoOptions options;
  options.beta = 0;
  std::vector<float> gradients(rows.logits.size());
  const auto found = run_kernel<64>(rows, rows.tokens.data(), options, rows.logits.data(), gradients.data(), 1);
  CHECK(found[0].log_probability == 0 && found[0].entropy == 0);
  CHECK(found[2].log_probability == 0 && found[2].entropy == 0);
  CHECK_NEAR(found[1].log_probability, -std::log(70.0), 1e-6);
  CHECK_NEAR(found[1].entropy, std::log(70.0), 1e-6);
  for (int i = 0; i < 70; ++i) {
    CHECK(gradients[i] == 0);
    CHECK_NEAR(gradients[70 + i], 1.0 / 70 - (i == 1), 1e-7);
  }
}

void unusable_rows_are_not_numbers() {
  const float infinity = std::numeric_limits<float>::infinity();
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), infinity, -infinity}) {
    for (const int position : {0, 63, 64, 299}) {
      TokenRows rows{300, std::vector<float>(2 * 300, 1.0f), {7, 7}, std::vector<PolicyToken>(2)};
      rows.logits[position] = bad;
      GrpoOptions options;
      const auto found = run_kernel<64>(rows, nullptr, options, rows.logits.data(), nullptr, 3);
      CHECK(std::isnan(found[0].log_probability));
      CHECK_NEAR(found[1].log_probability, -std::log(300.0), 1e-6);
    }
  }
}

}  // namespace

int main() {
  for (const int32_t n_vocab : {1, 2, 31, 33, 97, 500}) {
    policy_loss_equals_the_cpu<64>(seeded_token_rows(n_vocab, 1.0), 1.0, 0.08, 1);
  }
  for (const int32_t n_vocab : {255, 256, 257, 1025}) {
    policy_loss_equals_the_cpu<128>(seeded_token_rows(n_vocab, 0.7), 0.7, 0.04, 2);
  }
  policy_loss_equals_the_cpu<512>(seeded_token_rows(5003, 1.5, {0.81, 2.0}), 1.5, 0.0, 3);
  policy_loss_equals_the_cpu<512>(seeded_token_rows(262144, 1.0, {1.19}), 1.0, 0.08, 4);
  for (const int32_t n_vocab : {1, 97, 2049}) nll_equals_the_cpu<128>(n_vocab);
  logits_stay_without_a_loss();
  extreme_rows();
  unusable_rows_are_not_numbers();
  return check_result();
}
