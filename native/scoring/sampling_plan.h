#pragma once

#include <cfloat>
#include <cstdint>

#include "scoring/device.h"
#include "scoring/sampler.h"

namespace spct {

// SamplingParams in the numbers the passes use: computed once on the host, for the CPU and the GPU alike.
struct SamplingPlan {
  bool greedy;
  int32_t top_k;   // 0: off
  uint64_t top_p;  // share of the mass in units of 2^-64; 0: off
  bool has_min_p;
  double min_p_drop;   // how far below the maximum logit a token may lie, as a negative number
  float filter_scale;  // log2(e) / temperature as the filters see it
  float draw_scale;    // the same for the draw and the log-probability

  SPCT_DEVICE bool keeps_everything() const { return !greedy && top_k == 0 && top_p == 0 && !has_min_p; }
};

SamplingPlan plan_sampling(const SamplingParams& params, int32_t n_vocab);

// The nearest float, never infinite.
SPCT_DEVICE float finite_float(double value) {
  return static_cast<float>(value < -FLT_MAX ? -FLT_MAX : value > FLT_MAX ? FLT_MAX : value);
}

// log softmax of a token at `scale`, of a row whose token_weights add up to `total`.
float log_probability(float logit, float maximum, float scale, uint64_t total);

}  // namespace spct
