// A head fitted on states whose labels follow a known direction must find it, and the engine's reader must read its
// file.

#include "check.h"
#include "error.h"
#include "model/head_file.h"
#include "train/score_head_fit.h"

#include <random>

using namespace spct;

int main() {
  constexpr int64_t width = 6;
  constexpr int rows = 4000;
  const float direction[width] = {1.5f, -2.0f, 0.0f, 0.5f, 0.0f, 1.0f};
  std::mt19937 random(4);
  std::vector<float> states, labels;
  for (int row = 0; row < rows; ++row) {
    double logit = -0.5;
    for (int64_t i = 0; i < width; ++i) {
      // Dimensions of different scale and offset, as hidden states have.
      const double unit = (static_cast<double>(random() % 10001) / 10000.0 - 0.5) * 3.46;
      states.push_back(static_cast<float>(unit * (1.0 + static_cast<double>(i)) + 2.0));
      logit += direction[i] * unit;
    }
    const double chance = 1.0 / (1.0 + std::exp(-logit));
    labels.push_back(static_cast<double>(random() % 10000) / 10000.0 < chance ? 1.0f : 0.0f);
  }
  ScoreHeadFitOptions options;
  options.weight_decay = 0;
  const ScoreHeadFit fit = fit_score_head(states, labels, width, options);
  for (int64_t i = 0; i < width; ++i) {
    CHECK_NEAR(fit.head.weight[i] * (1.0 + static_cast<double>(i)), direction[i], 0.2);
  }
  CHECK(fit.loss < 0.5);
  CHECK_THROWS(fit_score_head(states, labels, width + 1, options), Error);
  CHECK_THROWS(fit_score_head({1.0f}, {2.0f}, 1, options), Error);

  write_score_head("train_score_head_test.gguf", fit.head, "meta", "abc");
  const HeadFile file = read_head_file("train_score_head_test.gguf");
  CHECK(file.kind == "meta");
  CHECK(file.backbone == "abc");
  CHECK(file.head.weight == fit.head.weight);
  CHECK_NEAR(file.head.bias, fit.head.bias, 0);
  CHECK_THROWS(write_score_head("no/such/folder/head.gguf", fit.head, "meta", ""), Error);
  return check_result();
}
