// Group advantages and the GRPO loss against values worked out by hand and against finite differences.

#include <limits>
#include <random>
#include <vector>

#include "check.h"
#include "error.h"
#include "train/advantages.h"
#include "train/grpo.h"

using namespace spct;

static const double not_a_number = std::nan("");

static void advantages_of_known_groups() {
  // Mean 0.5, squared distances 0.25, 0.25, 0.25, 2.25: the sample's deviation is 1.
  const std::vector<double> group{0, 0, 0, 2};
  const auto scaled = group_advantages(group, 4, AdvantageScale::group, 0.0);
  const double expected[] = {-0.5, -0.5, -0.5, 1.5};
  for (int i = 0; i < 4; ++i) CHECK_NEAR(scaled[i], expected[i], 1e-12);
  const auto softened = group_advantages(group, 4, AdvantageScale::group, 1.0);
  for (int i = 0; i < 4; ++i) CHECK_NEAR(softened[i], expected[i] / 2, 1e-12);
  const auto raw = group_advantages({1, 3, -1, -1}, 2, AdvantageScale::none);
  const double distances[] = {-1, 1, 0, 0};
  for (int i = 0; i < 4; ++i) CHECK(raw[i] == distances[i]);
  // Rewards 1, 3, -1, -1: mean 0.5, squared distances 0.25 + 6.25 + 2 * 2.25 = 11 over 3.
  const auto batch = group_advantages({1, 3, -1, -1}, 2, AdvantageScale::batch, 0.0);
  for (int i = 0; i < 4; ++i) CHECK_NEAR(batch[i], distances[i] / std::sqrt(11.0 / 3.0), 1e-12);
}

static void equal_rewards_have_no_advantage() {
  for (const auto scale : {AdvantageScale::group, AdvantageScale::batch, AdvantageScale::none}) {
    for (const double advantage : group_advantages({0.1, 0.1, 0.1}, 3, scale, 0.0)) CHECK(advantage == 0.0);
    CHECK(group_advantages({-1.0}, 1, scale, 0.0)[0] == 0.0);
  }
  CHECK_THROWS(group_advantages({1, 2, 3}, 2, AdvantageScale::group), Error);
  CHECK_THROWS(group_advantages({}, 2, AdvantageScale::group), Error);
  CHECK_THROWS(group_advantages({1, not_a_number}, 2, AdvantageScale::group), Error);
  CHECK_THROWS(group_advantages({1, 2}, 2, AdvantageScale::group, not_a_number), Error);
}

static GrpoOptions without_kl() {
  GrpoOptions options;
  options.beta = 0;
  return options;
}

static void tokens_of_known_ratio() {
  GrpoOptions options = without_kl();
  options.epsilon_low = 0.1;
  options.epsilon_high = 0.5;
  const auto token = [&](double ratio, double advantage) {
    return grpo_token_loss(std::log(ratio) - 2.0, {-2.0, 0.0, advantage}, options);
  };
  CHECK_NEAR(token(1.25, 2.0).loss, -2.5, 1e-12);
  CHECK_NEAR(token(1.25, 2.0).gradient, -2.5, 1e-12);
  CHECK_NEAR(token(4.0, 2.0).loss, -3.0, 1e-12);  // clipped at 1.5
  CHECK(token(4.0, 2.0).clipped && token(4.0, 2.0).gradient == 0.0);
  CHECK_NEAR(token(4.0, -2.0).loss, 8.0, 1e-12);  // a bad token that grew is never clipped
  CHECK_NEAR(token(4.0, -2.0).gradient, 8.0, 1e-12);
  CHECK_NEAR(token(0.5, -2.0).loss, 1.8, 1e-12);  // clipped at 0.9
  CHECK(token(0.5, -2.0).clipped && token(0.5, -2.0).gradient == 0.0);
  CHECK_NEAR(token(0.5, 2.0).loss, -1.0, 1e-12);
  CHECK(!token(0.5, 2.0).clipped);
}

static void clip_edges_still_move() {
  // exp(log 1.25) and exp(log 0.5) are exact, so that the ratio lies on the edge itself.
  GrpoOptions options = without_kl();
  options.epsilon_low = 0.5;
  options.epsilon_high = 0.25;
  const double old = 0.0;
  const double high = std::log(1.25);
  CHECK(std::exp(high) == 1.25);
  CHECK(!grpo_token_loss(high, {old, 0, 1.0}, options).clipped);
  CHECK_NEAR(grpo_token_loss(high, {old, 0, 1.0}, options).gradient, -1.25, 1e-12);
  CHECK(grpo_token_loss(high + 1e-9, {old, 0, 1.0}, options).gradient == 0.0);
  const double low = std::log(0.5);
  CHECK(std::exp(low) == 0.5);
  CHECK(!grpo_token_loss(low, {old, 0, -1.0}, options).clipped);
  CHECK_NEAR(grpo_token_loss(low, {old, 0, -1.0}, options).gradient, 0.5, 1e-12);
  CHECK(grpo_token_loss(low - 1e-9, {old, 0, -1.0}, options).gradient == 0.0);
}

static void kl_of_known_distances() {
  GrpoOptions options;
  const auto token = [&](double distance) { return grpo_token_loss(-3.0, {-3.0, -3.0 + distance, 0.0}, options); };
  CHECK(token(0.0).loss == 0.0 && token(0.0).gradient == 0.0);
  CHECK_NEAR(token(std::log(2.0)).kl, 1.0 - std::log(2.0), 1e-12);
  CHECK_NEAR(token(std::log(2.0)).loss, 0.08 * (1.0 - std::log(2.0)), 1e-12);
  CHECK_NEAR(token(std::log(2.0)).gradient, -0.08, 1e-12);
  CHECK_NEAR(token(12.0).kl, std::exp(12.0) - 13.0, 1e-6);
  CHECK_NEAR(token(12.0).gradient, 0.08 * (1.0 - std::exp(12.0)), 1e-6);
  CHECK_NEAR(token(-12.0).kl, std::exp(-12.0) + 11.0, 1e-12);
  CHECK_NEAR(token(-12.0).gradient, 0.08 * (1.0 - std::exp(-12.0)), 1e-12);
  CHECK_NEAR(token(1e-9).kl, 0.5e-18, 1e-24);  // no cancellation near 0
}

static void token_gradients_are_slopes() {
  std::mt19937 random(5);
  std::uniform_real_distribution<double> uniform(-0.6, 0.6);
  GrpoOptions options;
  options.epsilon_low = 0.2;
  options.epsilon_high = 0.3;
  int clipped = 0;
  for (int i = 0; i < 1000; ++i) {
    const double policy = -2 + uniform(random), old = -2 + uniform(random), reference = -2 + uniform(random);
    const double advantage = 3 * uniform(random);
    const auto token = grpo_token_loss(policy, {old, reference, advantage}, options);
    const double distance = 1e-6;
    const double above = grpo_token_loss(policy + distance, {old, reference, advantage}, options).loss;
    const double below = grpo_token_loss(policy - distance, {old, reference, advantage}, options).loss;
    CHECK_NEAR(token.gradient, (above - below) / (2 * distance), 1e-6);
    clipped += token.clipped;
  }
  CHECK(clipped > 50 && clipped < 950);
}

static void what_is_not_finite_is_an_error() {
  GrpoOptions options;
  CHECK_THROWS(grpo_token_loss(not_a_number, {0, 0, 1}, options), Error);
  CHECK_THROWS(grpo_token_loss(0, {not_a_number, 0, 1}, options), Error);
  CHECK_THROWS(grpo_token_loss(0, {0, not_a_number, 1}, options), Error);
  CHECK_THROWS(grpo_token_loss(0, {0, 0, not_a_number}, options), Error);
  CHECK_THROWS(grpo_token_loss(-900, {-900, 0, 0}, options), Error);  // the penalty overflows
  CHECK_THROWS(grpo_token_loss(0, {-900, 0, -1}, options), Error);    // the ratio overflows
  CHECK_NEAR(grpo_token_loss(0, {0, not_a_number, 1}, without_kl()).loss, -1.0, 1e-12);
}

static void scales_of_each_normalization() {
  const std::vector<int64_t> tokens{4, 0, 1};
  GrpoOptions options;
  const auto expect = [&](double first, double second, double third) {
    const auto scales = grpo_scales(tokens, options);
    CHECK_NEAR(scales[0], first, 1e-15);
    CHECK_NEAR(scales[1], second, 1e-15);
    CHECK_NEAR(scales[2], third, 1e-15);
  };
  expect(1.0 / 12, 0, 1.0 / 3);
  options.normalization = GrpoNormalization::bnpo;
  expect(0.2, 0, 0.2);
  options.normalization = GrpoNormalization::dapo;
  expect(0.2, 0, 0.2);
  options.total_tokens = 20;
  expect(0.05, 0, 0.05);
  options.normalization = GrpoNormalization::dr_grpo;
  CHECK_THROWS(check_grpo_options(options), Error);
  options.max_completion_tokens = 10;
  expect(1.0 / 30, 0, 1.0 / 30);
  for (const auto normalization : {GrpoNormalization::grpo, GrpoNormalization::bnpo, GrpoNormalization::dapo}) {
    GrpoOptions plain;
    plain.normalization = normalization;
    for (const double scale : grpo_scales({0, 0}, plain)) CHECK(scale == 0.0);
  }
}

static void options_are_checked() {
  check_grpo_options(GrpoOptions{});
  const auto refused = [](auto change) {
    GrpoOptions options;
    change(options);
    CHECK_THROWS(check_grpo_options(options), Error);
  };
  refused([](GrpoOptions& o) { o.beta = -0.1; });
  refused([](GrpoOptions& o) { o.beta = not_a_number; });
  refused([](GrpoOptions& o) { o.epsilon_low = 1.5; });
  refused([](GrpoOptions& o) { o.epsilon_high = std::numeric_limits<double>::infinity(); });
  refused([](GrpoOptions& o) { o.total_tokens = -1; });
}

static void probabilities_and_entropy_of_known_logits() {
  // At temperature 2 the row's probabilities are 1/4, 1/4, 1/2.
  const std::vector<float> logits{0.0f, 0.0f, static_cast<float>(2 * std::log(2.0))};
  const int32_t target = 2;
  double log_probability = 0, entropy = 0;
  token_log_probabilities_cpu(logits.data(), &target, 1, 3, 2.0, &log_probability, &entropy);
  CHECK_NEAR(log_probability, std::log(0.5), 1e-7);
  CHECK_NEAR(entropy, 1.5 * std::log(2.0), 1e-7);
  std::vector<float> gradients = logits;
  const double weight = 3.0;
  policy_gradient_cpu(gradients.data(), &target, &weight, 1, 3, 2.0);
  CHECK_NEAR(gradients[0], -0.375, 1e-6);
  CHECK_NEAR(gradients[1], -0.375, 1e-6);
  CHECK_NEAR(gradients[2], 0.75, 1e-6);
  std::vector<float> far{1000.0f, -1000.0f, 0.0f};
  token_log_probabilities_cpu(far.data(), &target, 1, 3, 1.0, &log_probability, &entropy);
  CHECK_NEAR(log_probability, -1000.0, 1e-9);
  CHECK_NEAR(entropy, 0.0, 1e-9);
  far[1] = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS(token_log_probabilities_cpu(far.data(), &target, 1, 3, 1.0, &log_probability, nullptr), Error);
}

static void logit_gradients_are_slopes() {
  std::vector<float> logits{1.5f, -0.5f, 0.25f, 3.0f, 0.0f};
  const int32_t target = 1;
  GrpoOptions options;
  const auto loss = [&] {
    double log_probability = 0;
    token_log_probabilities_cpu(logits.data(), &target, 1, 5, 0.7, &log_probability, nullptr);
    return grpo_token_loss(log_probability, {-5.0, -4.5, 1.5}, options);
  };
  std::vector<float> gradients = logits;
  const double weight = loss().gradient;
  CHECK(weight != 0);
  policy_gradient_cpu(gradients.data(), &target, &weight, 1, 5, 0.7);
  for (int i = 0; i < 5; ++i) {
    const float kept = logits[i];
    logits[i] = kept + 1.0f / 1024;
    const double above = loss().loss;
    logits[i] = kept - 1.0f / 1024;
    const double below = loss().loss;
    logits[i] = kept;
    CHECK_NEAR(gradients[i], (above - below) * 512, 1e-5);
  }
}

int main() {
  advantages_of_known_groups();
  equal_rewards_have_no_advantage();
  tokens_of_known_ratio();
  clip_edges_still_move();
  kl_of_known_distances();
  token_gradients_are_slopes();
  what_is_not_finite_is_an_error();
  scales_of_each_normalization();
  options_are_checked();
  probabilities_and_entropy_of_known_logits();
  logit_gradients_are_slopes();
  return check_result();
}
