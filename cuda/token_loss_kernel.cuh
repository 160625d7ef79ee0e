#pragma once

// The gradient of a loss on the log-probability of one token per row of logits, one block per row; policy_loss_cpu and
// nll_loss_cpu are the specification, to the rounding of sums in float and in another order.
//
// A block reads its row once for the maximum and, relative to the largest logit so far, the sums of exp(u) and
// u exp(u) with u = (logit - maximum) / temperature; then once more to write the gradient.

#include <cfloat>
#include <cmath>
#include <cstdint>

#include "cuda/device_token.h"
#include "cuda/ordered_key.cuh"
#include "cuda/reduce.cuh"
#include "train/grpo_token.h"

namespace spct {

constexpr int logits_at_once = 4;  // loads in flight per thread

struct RowSums {
  float maximum;
  float weight;    // sum of exp(u)
  float weighted;  // sum of u exp(u)
};

template <int threads>
struct TokenLossShared {
  uint32_t keys[threads / warp_size];
  float sums[3 * threads / warp_size];
  float slope;  // d(loss)/d(logit of the target) but for the softmax
  int32_t target;
};

// The same sums relative to a larger maximum.
__device__ inline RowSums moved(const RowSums& sums, float maximum, float inverse_temperature) {
  const float distance = (sums.maximum - maximum) * inverse_temperature;
  const float factor = expf(distance);
  if (factor == 0.0f) return {maximum, 0.0f, 0.0f};  // the distance may be infinite
  return {maximum, factor * sums.weight, factor * (sums.weighted + distance * sums.weight)};
}

// The sums over the row; a logit that is no finite number makes them NaN.
template <int threads>
__device__ RowSums row_sums(const float* row, int32_t n_vocab, float inverse_temperature,
                            TokenLossShared<threads>& shared) {
  RowSums own = {-FLT_MAX, 0.0f, 0.0f};
  float unusable = 0.0f;
  for (int begin = threadIdx.x; begin < n_vocab; begin += logits_at_once * threads) {
    float logits[logits_at_once];
    float maximum = own.maximum;
    for (int i = 0; i < logits_at_once; ++i) {
      const int id = begin + i * threads;
      logits[i] = id < n_vocab ? row[id] : -FLT_MAX;
      if (!(fabsf(logits[i]) <= FLT_MAX)) unusable = NAN;
      maximum = fmaxf(maximum, logits[i]);
    }
    if (maximum > own.maximum) own = moved(own, maximum, inverse_temperature);
    for (int i = 0; i < logits_at_once; ++i) {
      if (begin + i * threads >= n_vocab) continue;
      const float u = (logits[i] - maximum) * inverse_temperature;
      const float weight = expf(u);
      own.weight += weight;
      if (weight > 0.0f) own.weighted += weight * u;
    }
  }
  const float maximum = value_of(block_max<threads>(key_of(own.maximum), shared.keys));
  own = moved(own, maximum, inverse_temperature);
  float sums[3] = {own.weight, own.weighted, unusable};
  block_sum<threads>(sums, shared.sums);
  return {maximum, sums[0] + sums[2], sums[1]};
}

// logits, gradients: [rows, n_vocab], which may be the same; the others: one per block. Without tokens there is no
// loss, and gradients are not written.
template <int threads>
__global__ void __launch_bounds__(threads)
    token_loss_rows(const float* logits, int32_t n_vocab, const int32_t* targets, const PolicyToken* tokens,
                    GrpoOptions options, DeviceTokenProbability* probabilities, float* gradients) {
  __shared__ TokenLossShared<threads> shared;
  const float* row = logits + static_cast<size_t>(blockIdx.x) * n_vocab;
  const float inverse_temperature = static_cast<float>(1.0 / options.temperature);
  const RowSums sums = row_sums<threads>(row, n_vocab, inverse_temperature, shared);
  if (threadIdx.x == 0) {
    const int32_t target = targets[blockIdx.x];
    const double log_weight = log(static_cast<double>(sums.weight));
    const double distance = static_cast<double>(row[target]) - static_cast<double>(sums.maximum);
    const double log_probability = distance / options.temperature - log_weight;
    probabilities[blockIdx.x] = {log_probability, log_weight - static_cast<double>(sums.weighted / sums.weight)};
    shared.target = target;
    shared.slope = 0.0f;
    if (tokens != nullptr && tokens[blockIdx.x].scale != 0) {
      const PolicyToken token = tokens[blockIdx.x];
      const double gradient = unchecked_token_loss(log_probability, token, options).gradient;
      shared.slope = static_cast<float>(token.scale * gradient / options.temperature);
    }
  }
  if (tokens == nullptr) return;
  __syncthreads();  // also: the target's logit is read before it is overwritten
  const float slope = shared.slope;
  const float share = slope / sums.weight;
  float* gradient = gradients + static_cast<size_t>(blockIdx.x) * n_vocab;
  for (int id = threadIdx.x; id < n_vocab; id += threads) {
    float value = 0.0f;
    if (slope != 0.0f) value = -share * expf((row[id] - sums.maximum) * inverse_temperature);
    gradient[id] = id == shared.target ? value + slope : value;
  }
}

}  // namespace spct
