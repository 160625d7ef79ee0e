#pragma once

#include <cstdint>

#include "scoring/sampler.h"
#include "scoring/sampling_plan.h"

namespace spct {

// A draw as the kernel takes it, and what it gives back. The host plans before and takes the logarithm after, so that
// both agree with the CPU to the bit.
struct DeviceDraw {
  SamplingPlan plan;
  uint64_t seed;
  uint32_t step;
  int32_t row;
  bool want_logprob;
  int32_t forced;
};

struct DeviceToken {
  int32_t token;  // -1 for an unusable row
  float logit;
  float maximum;
  uint64_t row_total;  // token_weights of the row at the draw's scale, when a log-probability is wanted
};

inline DeviceDraw to_device(const Draw& draw, int32_t n_vocab) {
  return {plan_sampling(draw.params, n_vocab), draw.seed, draw.step, draw.row, draw.want_logprob, draw.forced};
}

inline void from_device(const DeviceDraw& sent, const DeviceToken& received, Draw& draw) {
  draw.token = received.token;
  draw.logprob = 0.0f;
  if (received.token >= 0 && sent.want_logprob) {
    draw.logprob = log_probability(received.logit, received.maximum, sent.plan.draw_scale, received.row_total);
  }
}

}  // namespace spct
