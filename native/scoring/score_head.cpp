#include "scoring/score_head.h"

namespace spct {

float score_head_cpu(const ScoreHead& head, const float* state) {
  // Independent partial sums: a chain of dependent additions would cost several cycles each.
  constexpr size_t lanes = 16;
  const size_t n = head.weight.size();
  const float* weight = head.weight.data();
  float sums[lanes] = {};
  size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    for (size_t lane = 0; lane < lanes; ++lane) sums[lane] += weight[i + lane] * state[i + lane];
  }
  float dot = 0.0f;
  for (; i < n; ++i) dot += weight[i] * state[i];
  for (const float sum : sums) dot += sum;
  return activate(head.activation, dot + head.bias);
}

void score_head_cpu(const ScoreHead& head, const float* states, const int32_t* rows, size_t n, float* scores) {
  for (size_t i = 0; i < n; ++i) {
    scores[i] = score_head_cpu(head, states + static_cast<size_t>(rows[i]) * head.weight.size());
  }
}

}  // namespace spct
