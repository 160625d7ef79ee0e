#pragma once

#include <vector>

#include "weight_view.h"

struct llama_model;

namespace spct {

// Overwrites all weights of a loaded model, converted to the types that its tensors have (F32, F16, BF16, Q8_0) as the
// trainer converts what it saves. The tensors must lie in plain memory that can be written. Throws Error
// WEIGHTS_MISMATCH (a tensor that only one side has, or of another shape) or UNSUPPORTED_MODEL (another type); then all
// weights are as they were.
void update_weights(const llama_model* model, const std::vector<WeightView>& weights);

}  // namespace spct
