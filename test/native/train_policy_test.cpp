// The policy step: its gradient against finite differences of its loss, and what it does with masks and bad input.

#include <ggml-backend.h>

#include <limits>
#include <numeric>

#include "check.h"
#include "error.h"
#include "train_fixture.h"

using namespace spct;

// Old and reference policies near the present one: some ratios are clipped, all penalties count.
static std::vector<Rollout> rollouts_of(Trainer& trainer, const std::vector<Sequence>& sequences, double temperature) {
  std::mt19937 random(17);
  std::uniform_real_distribution<float> uniform(-0.5f, 0.5f);
  const std::vector<float> present = trainer.log_probabilities(sequences, temperature);
  std::vector<Rollout> rollouts;
  size_t at = 0;
  for (const Sequence& sequence : sequences) {
    Rollout rollout;
    for (int64_t i = 0; i < sequence.completion_size(); ++i, ++at) {
      rollout.old_log_probabilities.push_back(std::min(0.0f, present[at] + uniform(random)));
      rollout.reference_log_probabilities.push_back(std::min(0.0f, present[at] + uniform(random)));
      rollout.mask.push_back(random() % 5 != 0);
    }
    rollout.advantage = 4 * uniform(random);
    rollouts.push_back(rollout);
  }
  return rollouts;
}

static double loss_of(Trainer& trainer, const std::vector<Sequence>& sequences, const std::vector<Rollout>& rollouts,
                      const GrpoOptions& options) {
  const std::vector<float> policy = trainer.log_probabilities(sequences, options.temperature);
  std::vector<int64_t> counted;
  for (const Rollout& rollout : rollouts)
    counted.push_back(std::accumulate(rollout.mask.begin(), rollout.mask.end(), int64_t{0}));
  const std::vector<double> scales = grpo_scales(counted, options);
  double loss = 0;
  size_t row = 0;
  for (size_t i = 0; i < rollouts.size(); ++i) {
    for (size_t at = 0; at < rollouts[i].mask.size(); ++at, ++row) {
      if (!rollouts[i].mask[at]) continue;
      loss += scales[i] * grpo_token_loss(policy[row],
                                          {rollouts[i].old_log_probabilities[at],
                                           rollouts[i].reference_log_probabilities[at], rollouts[i].advantage},
                                          options)
                              .loss;
    }
  }
  return loss;
}

// The first AdamW step with a huge epsilon is plain gradient descent: rate * gradient / epsilon.
static TrainerOptions plain_descent(int threads) {
  TrainerOptions options;
  options.threads = threads;
  options.optimizer.weight_decay = 0;
  options.optimizer.clip_norm = 0;
  options.optimizer.epsilon = 1e6f;
  return options;
}

static std::vector<float> weights_of(const Parameter& parameter) {
  std::vector<float> values(static_cast<size_t>(ggml_nelements(parameter.weight)));
  ggml_backend_tensor_get(parameter.weight, values.data(), 0, values.size() * sizeof(float));
  return values;
}

// A step of descent lowers the loss by the squared norm of the gradient times its length, in every normalization.
static void gradients_match_slopes() {
  for (const auto normalization :
       {GrpoNormalization::grpo, GrpoNormalization::bnpo, GrpoNormalization::dr_grpo, GrpoNormalization::dapo}) {
    const auto trainer = small_trainer("train_policy_test", plain_descent(2));
    const auto sequences = random_sequences(6, 256, 3);
    GrpoOptions options;
    options.epsilon_low = 0.2;
    options.epsilon_high = 0.3;
    options.temperature = 0.8;
    options.normalization = normalization;
    options.max_completion_tokens = 30;
    const auto rollouts = rollouts_of(*trainer, sequences, options.temperature);
    const double before = loss_of(*trainer, sequences, rollouts, options);
    std::vector<std::vector<float>> kept;
    for (const Parameter& parameter : trainer->parameters().all()) kept.push_back(weights_of(parameter));

    const double wanted = 1e-3;  // distance along the gradient
    const auto probe = small_trainer("train_policy_test", plain_descent(2));
    const double norm = probe->policy_step(sequences, rollouts, options, 0.0f).gradient_norm;
    const auto result = trainer->policy_step(sequences, rollouts, options, static_cast<float>(wanted / norm * 1e6));
    CHECK_NEAR(result.loss, before, 1e-5);
    CHECK(result.clipped > 0 && result.clipped < 0.8);
    CHECK(result.kl > 0 && result.entropy > 0);

    double distance = 0;
    std::vector<std::vector<float>> moved;
    for (size_t i = 0; i < kept.size(); ++i) {
      const Parameter& parameter = trainer->parameters().all()[i];
      moved.push_back(weights_of(parameter));
      for (size_t at = 0; at < kept[i].size(); ++at) {
        const double step = double{moved[i][at]} - kept[i][at];
        distance += step * step;
      }
    }
    distance = std::sqrt(distance);
    CHECK_NEAR(distance / wanted, 1.0, 1e-2);
    const double after = loss_of(*trainer, sequences, rollouts, options);
    for (size_t i = 0; i < kept.size(); ++i) {
      for (size_t at = 0; at < kept[i].size(); ++at) moved[i][at] = 2 * kept[i][at] - moved[i][at];
      ggml_backend_tensor_set(trainer->parameters().all()[i].weight, moved[i].data(), 0,
                              moved[i].size() * sizeof(float));
    }
    const double opposite = loss_of(*trainer, sequences, rollouts, options);
    CHECK_NEAR((opposite - after) / (2 * distance) / norm, 1.0, 1e-2);
  }
}

static void masked_tokens_do_not_count() {
  const auto trainer = small_trainer("train_policy_test", plain_descent(1));
  const auto sequences = random_sequences(3, 256, 9);
  auto rollouts = rollouts_of(*trainer, sequences, 1.0);
  for (Rollout& rollout : rollouts) std::fill(rollout.mask.begin(), rollout.mask.end(), uint8_t{0});
  const auto result = trainer->policy_step(sequences, rollouts, {}, 1.0f);
  CHECK(result.loss == 0 && result.gradient_norm == 0 && result.kl == 0 && result.completion_tokens == 0);
  GrpoOptions without_penalty;
  without_penalty.beta = 0;
  trainer->policy_step(sequences, rollouts, without_penalty, 0.0f);
  for (Rollout& rollout : rollouts) rollout.reference_log_probabilities.clear();
  trainer->policy_step(sequences, rollouts, without_penalty, 0.0f);
  rollouts = rollouts_of(*trainer, sequences, 1.0);
  std::fill(rollouts[0].mask.begin(), rollouts[0].mask.end(), uint8_t{0});
  // What the old policy thought of a masked token does not matter.
  rollouts[0].old_log_probabilities[0] = std::nanf("");
  trainer->policy_step(sequences, rollouts, {}, 1.0f);
}

static void on_policy_the_loss_is_the_mean_advantage() {
  const auto trainer = small_trainer("train_policy_test", plain_descent(2));
  const auto sequences = random_sequences(4, 256, 21);
  const auto present = trainer->log_probabilities(sequences, 1.0);
  std::vector<Rollout> rollouts;
  size_t at = 0;
  double sum = 0;
  for (const Sequence& sequence : sequences) {
    Rollout rollout;
    for (int64_t i = 0; i < sequence.completion_size(); ++i) rollout.old_log_probabilities.push_back(present[at++]);
    rollout.reference_log_probabilities = rollout.old_log_probabilities;
    rollout.mask.assign(rollout.old_log_probabilities.size(), 1);
    rollout.advantage = static_cast<double>(rollouts.size()) - 1.0;
    sum += rollout.advantage;
    rollouts.push_back(rollout);
  }
  const auto result = trainer->policy_step(sequences, rollouts, {}, 0.0f);
  CHECK_NEAR(result.loss, -sum / 4, 1e-5);
  CHECK_NEAR(result.kl, 0.0, 1e-9);
  CHECK(result.clipped == 0);
}

static void bad_input_is_an_error_that_changes_nothing() {
  const auto trainer = small_trainer("train_policy_test");
  const auto sequences = random_sequences(2, 256, 4);
  const auto good = rollouts_of(*trainer, sequences, 1.0);
  const auto before = weights_of(trainer->parameters().all()[0]);
  const auto refused = [&](auto change) {
    auto rollouts = good;
    change(rollouts);
    CHECK_THROWS(trainer->policy_step(sequences, rollouts, {}, 1.0f), Error);
  };
  refused([](auto& rollouts) { rollouts.pop_back(); });
  refused([](auto& rollouts) { rollouts[0].mask.pop_back(); });
  refused([](auto& rollouts) { rollouts[0].reference_log_probabilities.clear(); });
  refused([](auto& rollouts) { rollouts[1].advantage = std::nan(""); });
  refused([](auto& rollouts) { rollouts[1].mask[0] = 1, rollouts[1].old_log_probabilities[0] = std::nanf(""); });
  refused([](auto& rollouts) { rollouts[1].mask[0] = 1, rollouts[1].old_log_probabilities[0] = 0.5f; });
  refused([](auto& rollouts) {  // the ratio overflows after other sequences have left their gradients
    rollouts[0].advantage = -1;
    std::fill(rollouts[0].mask.begin(), rollouts[0].mask.end(), uint8_t{1});
    std::fill(rollouts[0].old_log_probabilities.begin(), rollouts[0].old_log_probabilities.end(), -3e38f);
  });
  CHECK_THROWS(trainer->log_probabilities(sequences, 0.0), Error);
  CHECK(weights_of(trainer->parameters().all()[0]) == before && trainer->steps_done() == 0);
  // Nothing is left of the failures in the next gradient.
  const auto fresh = small_trainer("train_policy_test");
  CHECK_NEAR(trainer->policy_step(sequences, good, {}, 0.0f).gradient_norm,
             fresh->policy_step(sequences, good, {}, 0.0f).gradient_norm, 0.0);
}

int main() {
  gradients_match_slopes();
  masked_tokens_do_not_count();
  on_policy_the_loss_is_the_mean_advantage();
  bad_input_is_an_error_that_changes_nothing();
  return check_result();
}
