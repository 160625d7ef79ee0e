#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "scoring/score_head.h"
#include "train/model_file.h"
#include "train/optimizer.h"

namespace spct {

// The trainable head of a scalar reward model: reward = weight . state + bias, with its AdamW moments. It starts at
// zero, so that at first every reward is 0.
class RewardHead {
 public:
  explicit RewardHead(int width);

  // None if the file is no checkpoint of a reward model. Throws Error UNSUPPORTED_MODEL for another width.
  static std::optional<RewardHead> load(const ModelFile& file, int width);

  double reward(const float* state) const;  // [width]
  // Adds slope * d(reward)/d(head) to `gradient` [width + 1], the bias last.
  static void add_gradient(const float* state, double slope, std::vector<double>& gradient);
  // One AdamW update by factor * gradient; the bias is not decayed. `step` counts from 1.
  void update(const std::vector<double>& gradient, double factor, const AdamWOptions& options, int64_t step,
              float learning_rate);

  ScoreHead score_head() const;  // its activation is none
  // [width + 1] each, the bias last, under their names in a checkpoint.
  std::vector<CheckpointValues> values() const;

 private:
  std::vector<float> weights_;
  std::vector<float> first_moments_;
  std::vector<float> second_moments_;
};

}  // namespace spct
