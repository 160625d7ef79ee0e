#pragma once

// activation(weight . state + bias) of the rows that end, one block per row; score_head_cpu is the specification, to
// the rounding of sums in another order.

#include <cstdint>

#include "cuda/reduce.cuh"
#include "scoring/activation.h"

namespace spct {

// weight: [n_embd]; states: [any, n_embd]; rows, scores: one per block.
template <int threads>
__global__ void __launch_bounds__(threads)
    score_rows(const float* weight, float bias, Activation activation, int32_t n_embd, const float* states,
               const int32_t* rows, float* scores) {
  __shared__ float shared[threads / warp_size];
  const float* state = states + static_cast<size_t>(rows[blockIdx.x]) * n_embd;
  float dot[1] = {0.0f};
  for (int i = threadIdx.x; i < n_embd; i += threads) dot[0] += weight[i] * state[i];
  block_sum<threads>(dot, shared);
  if (threadIdx.x == 0) scores[blockIdx.x] = activate(activation, dot[0] + bias);
}

}  // namespace spct
