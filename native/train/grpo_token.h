#pragma once

#include <cmath>

#include "scoring/device.h"
#include "train/grpo.h"

namespace spct {

// grpo_token_loss without its check, for the CPU and the CUDA kernel.
SPCT_DEVICE GrpoTokenLoss unchecked_token_loss(double policy, const PolicyToken& token, const GrpoOptions& options) {
  const double advantage = token.advantage;
  const double lowest = 1.0 - options.epsilon_low;
  const double highest = 1.0 + options.epsilon_high;
  const double ratio = exp(policy - (token.on_policy ? policy : token.old));
  const double clipped_ratio = ratio < lowest ? lowest : highest < ratio ? highest : ratio;
  GrpoTokenLoss result;
  result.clipped = advantage >= 0 ? ratio > highest : ratio < lowest;
  result.loss = clipped_ratio * advantage < ratio * advantage ? -(clipped_ratio * advantage) : -(ratio * advantage);
  result.gradient = result.clipped ? 0.0 : -advantage * ratio;
  if (options.beta > 0) {
    const double distance = token.reference - policy;
    result.kl = expm1(distance) - distance;
    result.loss += options.beta * result.kl;
    result.gradient -= options.beta * expm1(distance);
  }
  return result;
}

}  // namespace spct
