#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "scoring/activation.h"

namespace spct {

// A linear head on a hidden state after the final norm: activation(weight . state + bias).
struct ScoreHead {
  std::vector<float> weight;  // [n_embd]
  float bias = 0.0f;
  Activation activation = Activation::none;
};

// state: [n_embd].
float score_head_cpu(const ScoreHead& head, const float* state);

// scores: [n], of the rows `rows` [n] of states [any, n_embd].
void score_head_cpu(const ScoreHead& head, const float* states, const int32_t* rows, size_t n, float* scores);

}  // namespace spct
