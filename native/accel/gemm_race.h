#pragma once

#include <cstdint>

struct ggml_tensor;

namespace spct {

// The fewest rows (of 4, 8, 16, 32) from which on the product with a packed copy of `weight` is clearly faster than
// ggml's own on so many threads, with the weights not yet in a cache; 0: it is not. Takes tens of milliseconds.
// Throws dnnl::error and std::bad_alloc.
int64_t least_faster_rows(const ggml_tensor* weight, int threads);

}  // namespace spct
