#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "error.h"
#include "train/losses.h"
#include "train/parallel.h"
#include "train/trainer.h"

namespace spct {
namespace {

std::vector<int32_t> last_positions(const std::vector<Sequence>& sequences) {
  std::vector<int32_t> positions;
  for (const Sequence& sequence : sequences) positions.push_back(static_cast<int32_t>(sequence.size()) - 1);
  return positions;
}

void check_labels(const RewardBatch& batch, RewardLoss loss) {
  const size_t sequences = batch.sequences.size();
  if (loss == RewardLoss::bradley_terry) {
    if (sequences % 2 != 0) throw Error("INVALID_ARGUMENT", "Expected pairs of a chosen and a rejected sequence");
    if (!batch.labels.empty()) throw Error("INVALID_ARGUMENT", "Expected no labels for the Bradley-Terry loss");
    return;
  }
  const bool valid = std::all_of(batch.labels.begin(), batch.labels.end(), [](float y) { return y == 0 || y == 1; });
  if (batch.labels.size() != sequences || !valid) {
    throw Error("INVALID_ARGUMENT", "Expected a label of 0 or 1 for each of " + std::to_string(sequences) +
                                        " sequences but received " + std::to_string(batch.labels.size()));
  }
}

struct Judged {
  double loss = 0;
  double accuracy = 0;
  std::vector<double> slopes;  // d(loss)/d(reward)
};

// A reward of exactly 0, or equal rewards of a pair, are no right answer.
Judged judge(const std::vector<double>& rewards, const std::vector<float>& labels, RewardLoss loss) {
  Judged judged;
  if (loss == RewardLoss::bce) {
    const double share = 1.0 / static_cast<double>(rewards.size());
    for (size_t i = 0; i < rewards.size(); ++i) {
      double slope = 0;
      judged.loss += share * bce_loss_cpu(rewards[i], labels[i], &slope);
      judged.slopes.push_back(share * slope);
      judged.accuracy += (labels[i] == 1 ? rewards[i] > 0 : rewards[i] < 0) ? share : 0.0;
    }
    return judged;
  }
  const double share = 2.0 / static_cast<double>(rewards.size());
  for (size_t i = 0; i < rewards.size(); i += 2) {
    double slope = 0;
    judged.loss += share * bradley_terry_loss_cpu(rewards[i], rewards[i + 1], 0.0, &slope);
    judged.slopes.push_back(share * slope);
    judged.slopes.push_back(-share * slope);
    judged.accuracy += rewards[i] > rewards[i + 1] ? share : 0.0;
  }
  return judged;
}

}  // namespace

std::vector<double> Trainer::head_rewards(const RewardBatch& batch) {
  const auto& positions = batch.positions.empty() ? last_positions(batch.sequences) : batch.positions;
  const std::vector<float> states = hidden_states(batch.sequences, positions);
  std::vector<double> rewards;
  for (size_t i = 0; i < batch.sequences.size(); ++i) {
    rewards.push_back(reward_head_->reward(states.data() + i * static_cast<size_t>(shape_.embedding)));
  }
  return rewards;
}

std::vector<float> Trainer::rewards(const RewardBatch& batch) {
  reward_head();
  const std::vector<double> rewards = head_rewards(batch);
  return {rewards.begin(), rewards.end()};
}

const RewardHead& Trainer::reward_head() const {
  if (!reward_head_) throw Error("NO_HEAD", "Expected a trainer whose reward head has been trained");
  return *reward_head_;
}

// The rewards come first, without gradients, and their slopes after: so the two sequences of a pair need not be in one
// micro-batch.
RewardStepResult Trainer::reward_step(const RewardBatch& batch, RewardLoss loss, float learning_rate) {
  check(batch.sequences);
  check_labels(batch, loss);
  if (!reward_head_) reward_head_.emplace(shape_.embedding);
  const auto& sequences = batch.sequences;
  const auto positions = batch.positions.empty() ? last_positions(sequences) : batch.positions;
  const Judged judged = judge(head_rewards(batch), batch.labels, loss);
  const size_t width = static_cast<size_t>(shape_.embedding);
  const ScoreHead head = reward_head_->score_head();

  std::vector<std::vector<double>> gradients(workers_.size(), std::vector<double>(width + 1, 0.0));
  accumulate(sequences, [&](size_t worker, const std::vector<size_t>& micro_batch) {
    std::vector<int32_t> chosen;
    for (const size_t index : micro_batch) chosen.push_back(positions[index]);
    const auto states_gradient = [&](float* states) {
      for (size_t row = 0; row < micro_batch.size(); ++row) {
        float* state = states + row * width;
        const double slope = judged.slopes[micro_batch[row]];
        RewardHead::add_gradient(state, slope, gradients[worker]);
        for (size_t i = 0; i < width; ++i) state[i] = static_cast<float>(slope * head.weight[i]);
      }
    };
    workers_[worker]->accumulate_states(select(sequences, micro_batch), chosen, states_gradient);
  });
  std::vector<double>& gradient = gradients[0];
  for (size_t worker = 1; worker < gradients.size(); ++worker) {
    for (size_t i = 0; i <= width; ++i) gradient[i] += gradients[worker][i];
  }

  RewardStepResult result;
  result.loss = judged.loss;
  result.accuracy = judged.accuracy;
  for (const Sequence& sequence : sequences) result.tokens += sequence.size();
  result.gradient_norm =
      update(learning_rate, std::inner_product(gradient.begin(), gradient.end(), gradient.begin(), 0.0));
  reward_head_->update(gradient, clip_factor(options_.optimizer, result.gradient_norm), options_.optimizer, step_,
                       learning_rate);
  return result;
}

}  // namespace spct
