#pragma once

#include <cstdint>

#include "train/ggml_handles.h"

namespace spct {

// Where a trainer keeps weights, gradients, moments and activations, and computes with them. A GPU's memory is reached
// by copies alone.
enum class TrainingDevice : uint8_t {
  cpu,
  gpu,  // the first one that ggml knows
};

// `threads` are for the CPU. Throws Error NO_GPU, or OUT_OF_MEMORY when the backend cannot be created.
GgmlBackend make_backend(TrainingDevice device, int threads);

// Throws Error UNSUPPORTED_MODEL, naming the first operation of the graph that the backend lacks.
void check_operations(ggml_backend_t backend, ggml_cgraph* graph);

// Whether a matrix of this type can be multiplied with a gradient, to pass it back.
bool passes_gradients(ggml_backend_t backend, ggml_type type);

}  // namespace spct
