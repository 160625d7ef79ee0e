#include "scoring/score_head.h"

#include <cmath>
#include <random>
#include <vector>

#include "check.h"

using namespace spct;

namespace {

void by_hand() {
  ScoreHead head;
  head.weight = {1.0f, -2.0f, 0.5f};
  head.bias = 0.25f;
  const float state[] = {2.0f, 1.0f, 4.0f};
  CHECK_NEAR(score_head_cpu(head, state), 2.25, 0.0);
  head.activation = Activation::sigmoid;
  CHECK_NEAR(score_head_cpu(head, state), 1.0 / (1.0 + std::exp(-2.25)), 1e-7);
  head.activation = Activation::tanh;
  CHECK_NEAR(score_head_cpu(head, state), std::tanh(2.25), 1e-7);
}

void activations_do_not_overflow() {
  CHECK(activate(Activation::sigmoid, 1000.0f) == 1.0f);
  CHECK(activate(Activation::sigmoid, -1000.0f) == 0.0f);
  CHECK(activate(Activation::sigmoid, 0.0f) == 0.5f);
  CHECK(activate(Activation::tanh, -1000.0f) == -1.0f);
  CHECK(activate(Activation::none, -1000.0f) == -1000.0f);
}

void rows_of_every_width() {
  std::mt19937 engine(3);
  const auto value = [&] { return static_cast<float>(engine()) / 2147483648.0f - 1.0f; };
  for (const size_t width : {1, 5, 15, 16, 17, 64, 1000, 4096}) {
    ScoreHead head;
    head.bias = value();
    for (size_t i = 0; i < width; ++i) head.weight.push_back(value());
    std::vector<float> states(7 * width);
    for (float& state : states) state = value();
    const std::vector<int32_t> rows = {6, 0, 3, 3};
    std::vector<float> scores(rows.size());
    score_head_cpu(head, states.data(), rows.data(), rows.size(), scores.data());
    for (size_t i = 0; i < rows.size(); ++i) {
      double dot = head.bias;
      for (size_t j = 0; j < width; ++j) dot += static_cast<double>(head.weight[j]) * states[rows[i] * width + j];
      CHECK_NEAR(scores[i], dot, 1e-5 * std::sqrt(static_cast<double>(width)));
      CHECK(scores[i] == score_head_cpu(head, states.data() + rows[i] * width));
    }
  }
}

}  // namespace

int main() {
  by_hand();
  activations_do_not_overflow();
  rows_of_every_width();
  return check_result();
}
