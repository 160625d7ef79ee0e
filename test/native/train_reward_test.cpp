// The reward step: gradients of the backbone and of the head against finite differences for both losses, exact
// resumption, and what it does with bad input.

#include <ggml-backend.h>

#include <algorithm>

#include "check.h"
#include "error.h"
#include "train_fixture.h"

using namespace spct;

static std::vector<float> values_of(const ggml_tensor* tensor) {
  std::vector<float> values(static_cast<size_t>(ggml_nelements(tensor)));
  ggml_backend_tensor_get(tensor, values.data(), 0, values.size() * sizeof(float));
  return values;
}

static void set_values(ggml_tensor* tensor, const std::vector<float>& values) {
  ggml_backend_tensor_set(tensor, values.data(), 0, values.size() * sizeof(float));
}

static std::vector<float> head_of(const Trainer& trainer) {
  const ScoreHead head = trainer.reward_head().score_head();
  std::vector<float> values = head.weight;
  values.push_back(head.bias);
  return values;
}

// Sequences of very different lengths, so that pairs are torn apart by micro-batches of 64 tokens.
static RewardBatch batch_for(RewardLoss loss, uint32_t seed) {
  RewardBatch batch;
  batch.sequences = random_sequences(6, 256, seed);
  if (loss == RewardLoss::bce) batch.labels = {1, 0, 0, 1, 1, 0};
  return batch;
}

static double softplus(double value) { return std::log1p(std::exp(value)); }

// The definition, from the states and a head [width + 1].
static double loss_of(Trainer& trainer, const RewardBatch& batch, const std::vector<float>& head, RewardLoss loss) {
  std::vector<int32_t> last;
  for (const Sequence& sequence : batch.sequences) last.push_back(static_cast<int32_t>(sequence.size()) - 1);
  const auto states = trainer.hidden_states(batch.sequences, batch.positions.empty() ? last : batch.positions);
  const size_t width = head.size() - 1;
  std::vector<double> rewards;
  for (size_t row = 0; row < batch.sequences.size(); ++row) {
    rewards.push_back(head.back());
    for (size_t i = 0; i < width; ++i) rewards.back() += double{head[i]} * states[row * width + i];
  }
  double sum = 0;
  if (loss == RewardLoss::bce) {
    for (size_t i = 0; i < rewards.size(); ++i) sum += softplus(batch.labels[i] == 1 ? -rewards[i] : rewards[i]);
    return sum / static_cast<double>(rewards.size());
  }
  for (size_t i = 0; i < rewards.size(); i += 2) sum += softplus(rewards[i + 1] - rewards[i]);
  return sum / static_cast<double>(rewards.size() / 2);
}

static TrainerOptions small_batches() {
  TrainerOptions options;
  options.threads = 2;
  options.micro_batch_tokens = 64;
  return options;
}

// Without memory of earlier steps and with a huge epsilon AdamW is plain descent: rate * gradient / epsilon.
static TrainerOptions plain_descent() {
  TrainerOptions options = small_batches();
  options.optimizer.beta1 = 0;
  options.optimizer.beta2 = 0;
  options.optimizer.weight_decay = 0;
  options.optimizer.clip_norm = 0;
  options.optimizer.epsilon = 1e6f;
  return options;
}

// Compares the slope of `loss_at` along the gradient with the gradient's norm.
template <class LossAt>
static void check_slope(const std::vector<float>& at, const std::vector<double>& gradient, const LossAt& loss_at) {
  double norm = 0;
  for (const double value : gradient) norm += value * value;
  norm = std::sqrt(norm);
  CHECK(norm > 0);
  const double distance = 4e-3 / std::max(1.0, norm);
  const auto moved = [&](double by) {
    std::vector<float> values = at;
    for (size_t i = 0; i < values.size(); ++i) values[i] += static_cast<float>(by * gradient[i] / norm);
    return values;
  };
  const double slope = (loss_at(moved(distance)) - loss_at(moved(-distance))) / (2 * distance);
  CHECK_NEAR(slope / norm, 1.0, 3e-3);
}

static void gradients_match_slopes(RewardLoss loss, bool inner_positions) {
  const char* checkpoint = "train_reward_test.slopes.gguf";
  {
    const auto trainer = small_trainer("train_reward_test", small_batches());
    for (uint32_t seed = 0; seed < 4; ++seed) trainer->reward_step(batch_for(loss, seed), loss, 0.05f);
    trainer->save_checkpoint(checkpoint, "");
  }
  RewardBatch batch = batch_for(loss, 40);
  if (inner_positions) {
    for (const Sequence& sequence : batch.sequences) batch.positions.push_back(sequence.completion_begin);
  }
  const auto trainer = Trainer::open(checkpoint, plain_descent());
  const auto head = head_of(*trainer);
  const double before = loss_of(*trainer, batch, head, loss);
  const auto& parameters = trainer->parameters().all();
  std::vector<std::vector<float>> kept;
  for (const Parameter& parameter : parameters) kept.push_back(values_of(parameter.weight));

  const auto probe = Trainer::open(checkpoint, plain_descent());
  const double norm = probe->reward_step(batch, loss, 0.0f).gradient_norm;
  CHECK(head_of(*probe) == head);
  const double rate = 0.5 / norm;
  const RewardStepResult result = trainer->reward_step(batch, loss, static_cast<float>(rate * 1e6));
  CHECK_NEAR(result.loss, before, 1e-5);
  CHECK_NEAR(result.gradient_norm / norm, 1.0, 1e-6);

  const auto difference = [&](const std::vector<float>& from, const std::vector<float>& to) {
    std::vector<double> gradient;
    for (size_t i = 0; i < from.size(); ++i) gradient.push_back((double{from[i]} - to[i]) / rate);
    return gradient;
  };
  double squares = 0;
  std::vector<std::vector<double>> gradients;
  for (size_t i = 0; i < parameters.size(); ++i) {
    gradients.push_back(difference(kept[i], values_of(parameters[i].weight)));
    set_values(parameters[i].weight, kept[i]);
    for (const double value : gradients.back()) squares += value * value;
  }
  const auto head_gradient = difference(head, head_of(*trainer));
  for (const double value : head_gradient) squares += value * value;
  CHECK_NEAR(std::sqrt(squares) / norm, 1.0, 1e-3);

  for (size_t i = 0; i < parameters.size(); ++i) {
    check_slope(kept[i], gradients[i], [&](const std::vector<float>& values) {
      set_values(parameters[i].weight, values);
      const double found = loss_of(*trainer, batch, head, loss);
      set_values(parameters[i].weight, kept[i]);
      return found;
    });
  }
  check_slope(head, head_gradient,
              [&](const std::vector<float>& values) { return loss_of(*trainer, batch, values, loss); });
}

static std::vector<float> all_weights(const Trainer& trainer) {
  std::vector<float> values;
  for (const Parameter& parameter : trainer.parameters().all()) {
    for (const ggml_tensor* tensor : {parameter.weight, parameter.first_moment, parameter.second_moment}) {
      const auto part = values_of(tensor);
      values.insert(values.end(), part.begin(), part.end());
    }
  }
  for (const CheckpointValues& part : trainer.reward_head().values()) {
    values.insert(values.end(), part.values->begin(), part.values->end());
  }
  return values;
}

static void a_resumed_run_is_the_same_run() {
  const auto run = [](Trainer& trainer, uint32_t first, uint32_t last) {
    for (uint32_t seed = first; seed < last; ++seed) {
      const RewardLoss loss = seed % 2 == 0 ? RewardLoss::bce : RewardLoss::bradley_terry;
      trainer.reward_step(batch_for(loss, seed), loss, 1e-3f);
    }
  };
  const auto whole = small_trainer("train_reward_test", small_batches());
  run(*whole, 0, 6);
  const auto first = small_trainer("train_reward_test", small_batches());
  run(*first, 0, 3);
  first->save_checkpoint("train_reward_test.checkpoint.gguf", "3 batches");
  const auto second = Trainer::open("train_reward_test.checkpoint.gguf", small_batches());
  CHECK(second->steps_done() == 3);
  run(*second, 3, 6);
  CHECK(all_weights(*second) == all_weights(*whole));
  CHECK(all_weights(*first) != all_weights(*whole));
}

static void training_separates(RewardLoss loss) {
  const auto trainer = small_trainer("train_reward_test", small_batches());
  const RewardBatch batch = batch_for(loss, 8);
  const RewardStepResult first = trainer->reward_step(batch, loss, 5e-3f);
  CHECK_NEAR(first.loss, std::log(2.0), 1e-9);
  CHECK(first.accuracy == 0);
  RewardStepResult last;
  for (int step = 0; step < 40; ++step) last = trainer->reward_step(batch, loss, 5e-3f);
  CHECK(last.loss < 0.1);
  CHECK_NEAR(last.accuracy, 1.0, 1e-12);
  const std::vector<float> rewards = trainer->rewards(batch);
  for (size_t i = 0; i < rewards.size(); ++i) {
    if (loss == RewardLoss::bce) CHECK((rewards[i] > 0) == (batch.labels[i] == 1));
    if (loss == RewardLoss::bradley_terry && i % 2 == 0) CHECK(rewards[i] > rewards[i + 1]);
  }
}

static void bad_input_changes_nothing() {
  const auto trainer = small_trainer("train_reward_test");
  CHECK_THROWS(trainer->rewards(batch_for(RewardLoss::bce, 1)), Error);
  CHECK_THROWS(trainer->reward_head(), Error);
  trainer->reward_step(batch_for(RewardLoss::bce, 1), RewardLoss::bce, 1e-3f);
  const auto before = all_weights(*trainer);
  const auto refused = [&](RewardLoss loss, auto change) {
    RewardBatch batch = batch_for(loss, 2);
    change(batch);
    CHECK_THROWS(trainer->reward_step(batch, loss, 1e-3f), Error);
  };
  refused(RewardLoss::bce, [](auto& batch) { batch.labels.pop_back(); });
  refused(RewardLoss::bce, [](auto& batch) { batch.labels[0] = 0.5f; });
  refused(RewardLoss::bce, [](auto& batch) { batch.positions = {0}; });
  refused(RewardLoss::bce, [](auto& batch) { batch.positions.assign(6, 60); });
  refused(RewardLoss::bce, [](auto& batch) { batch.sequences.clear(), batch.labels.clear(); });
  refused(RewardLoss::bradley_terry, [](auto& batch) { batch.sequences.pop_back(); });
  refused(RewardLoss::bradley_terry, [](auto& batch) { batch.labels.assign(6, 1.0f); });
  CHECK(all_weights(*trainer) == before && trainer->steps_done() == 1);
}

static void a_loss_that_is_not_finite_leaves_nothing_behind() {
  const auto broken = small_trainer("train_reward_test");
  broken->reward_step(batch_for(RewardLoss::bce, 1), RewardLoss::bce, 1e-3f);
  broken->save_checkpoint("train_reward_test.finite.gguf", "");
  const auto fresh = Trainer::open("train_reward_test.finite.gguf", {});
  ggml_tensor* norm = broken->parameters().named("output_norm.weight").weight;
  const auto kept = values_of(norm);
  set_values(norm, std::vector<float>(kept.size(), std::nanf("")));
  CHECK_THROWS(broken->reward_step(batch_for(RewardLoss::bce, 2), RewardLoss::bce, 1e-3f), Error);
  set_values(norm, kept);
  const RewardBatch batch = batch_for(RewardLoss::bradley_terry, 3);
  CHECK_NEAR(broken->reward_step(batch, RewardLoss::bradley_terry, 1e-3f).gradient_norm,
             fresh->reward_step(batch, RewardLoss::bradley_terry, 1e-3f).gradient_norm, 0.0);
}

int main() {
  for (const RewardLoss loss : {RewardLoss::bce, RewardLoss::bradley_terry}) {
    gradients_match_slopes(loss, false);
    gradients_match_slopes(loss, true);
    training_separates(loss);
  }
  a_resumed_run_is_the_same_run();
  bad_input_changes_nothing();
  a_loss_that_is_not_finite_leaves_nothing_behind();
  return check_result();
}
