#pragma once

#include <vector>

#include "train/gradient_worker.h"
#include "train/parameters.h"

namespace spct {

struct AdamWOptions {
  float beta1 = 0.9f;
  float beta2 = 0.95f;
  float epsilon = 1e-8f;
  float weight_decay = 0.01f;  // of matrices; norms are not decayed
  float clip_norm = 1.0f;      // 0 turns clipping off
};

// What a gradient of this norm is multiplied by.
double clip_factor(const AdamWOptions& options, double norm);

// One AdamW update from the summed gradients of all workers, which are cleared. `step` counts from 1. Returns the norm
// of the gradient before clipping; `other_squares` is the squared norm of a part of it that belongs to other weights.
double adamw_step(const Parameters& parameters, const std::vector<GradientWorker*>& workers,
                  const AdamWOptions& options, int64_t step, float learning_rate, double other_squares = 0);

}  // namespace spct
