// The CUDA score head's source on the CPU against its CPU twin.
#include "simt/simt.h"

#include <cmath>
#include <random>
#include <vector>

#include "check.h"
#include "cuda/score_head_kernel.cuh"
#include "scoring/score_head.h"

using namespace spct;

int main() {
  std::mt19937 engine(9);
  const auto value = [&] { return static_cast<float>(engine()) / 2147483648.0f - 1.0f; };
  for (const int32_t n_embd : {1, 31, 256, 1000, 4096}) {
    for (const Activation activation : {Activation::none, Activation::sigmoid, Activation::tanh}) {
      ScoreHead head;
      head.bias = value();
      head.activation = activation;
      for (int32_t i = 0; i < n_embd; ++i) head.weight.push_back(value());
      std::vector<float> states(5 * static_cast<size_t>(n_embd));
      for (float& state : states) state = value() / std::sqrt(static_cast<float>(n_embd));
      const std::vector<int32_t> rows = {4, 0, 2, 2};
      std::vector<float> expected(rows.size());
      std::vector<float> scores(rows.size());
      score_head_cpu(head, states.data(), rows.data(), rows.size(), expected.data());
      simt::launch(static_cast<unsigned>(rows.size()), 256, 1, [&] {
        score_rows<256>(head.weight.data(), head.bias, head.activation, n_embd, states.data(), rows.data(),
                        scores.data());
      });
      for (size_t i = 0; i < rows.size(); ++i) CHECK_NEAR(scores[i], expected[i], 2e-6);
      CHECK(scores[2] == scores[3]);
    }
  }
  return check_result();
}
