#include "train/reward_head.h"

#include <cmath>
#include <string>

#include "error.h"

namespace spct {
namespace {

constexpr const char* first_moments_name = "m.reward_head";
constexpr const char* second_moments_name = "v.reward_head";

}  // namespace

RewardHead::RewardHead(int width)
    : weights_(static_cast<size_t>(width) + 1, 0.0f),
      first_moments_(weights_.size(), 0.0f),
      second_moments_(weights_.size(), 0.0f) {}

std::optional<RewardHead> RewardHead::load(const ModelFile& file, int width) {
  if (ggml_get_tensor(file.tensors.get(), reward_head_tensor) == nullptr) return std::nullopt;
  RewardHead head(width);
  const size_t count = head.weights_.size();
  head.weights_ = read_values(file, reward_head_tensor, count);
  head.first_moments_ = read_values(file, first_moments_name, count);
  head.second_moments_ = read_values(file, second_moments_name, count);
  return head;
}

double RewardHead::reward(const float* state) const {
  double reward = weights_.back();
  for (size_t i = 0; i + 1 < weights_.size(); ++i) reward += double{weights_[i]} * state[i];
  return reward;
}

void RewardHead::add_gradient(const float* state, double slope, std::vector<double>& gradient) {
  for (size_t i = 0; i + 1 < gradient.size(); ++i) gradient[i] += slope * state[i];
  gradient.back() += slope;
}

void RewardHead::update(const std::vector<double>& gradient, double factor, const AdamWOptions& options, int64_t step,
                        float learning_rate) {
  const double correction1 = 1.0 - std::pow(double{options.beta1}, static_cast<double>(step));
  const double correction2 = 1.0 - std::pow(double{options.beta2}, static_cast<double>(step));
  for (size_t i = 0; i < weights_.size(); ++i) {
    const double slope = factor * gradient[i];
    const double first = options.beta1 * first_moments_[i] + (1.0 - options.beta1) * slope;
    const double second = options.beta2 * second_moments_[i] + (1.0 - options.beta2) * slope * slope;
    const double decay = i + 1 < weights_.size() ? options.weight_decay : 0.0f;
    const double direction = first / correction1 / (std::sqrt(second / correction2) + options.epsilon);
    weights_[i] = static_cast<float>(weights_[i] * (1.0 - learning_rate * decay) - learning_rate * direction);
    first_moments_[i] = static_cast<float>(first);
    second_moments_[i] = static_cast<float>(second);
  }
}

ScoreHead RewardHead::score_head() const {
  ScoreHead head;
  head.weight.assign(weights_.begin(), weights_.end() - 1);
  head.bias = weights_.back();
  return head;
}

std::vector<CheckpointValues> RewardHead::values() const {
  return {
      {reward_head_tensor, &weights_}, {first_moments_name, &first_moments_}, {second_moments_name, &second_moments_}};
}

}  // namespace spct
