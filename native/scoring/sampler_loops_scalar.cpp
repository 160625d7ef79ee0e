#include <algorithm>
#include <limits>

#include "scoring/sampler_loops.h"
#include "scoring/weight.h"

namespace spct {
namespace {

constexpr float lowest = -std::numeric_limits<float>::infinity();

// Lanes that do not wait for each other; compilers make vectors of them.
float block_maxima(const float* logits, int32_t n, float* maxima) {
  constexpr int32_t lanes = 8;
  float maximum = lowest;
  int32_t unordered = 0;
  for (int32_t begin = 0; begin < n; begin += sampler_block) {
    const int32_t end = std::min(n, begin + sampler_block);
    float largest[lanes];
    int32_t nan[lanes] = {};
    std::fill(largest, largest + lanes, lowest);
    int32_t i = begin;
    for (; i + lanes <= end; i += lanes) {
      for (int32_t lane = 0; lane < lanes; ++lane) {
        const float logit = logits[i + lane];
        largest[lane] = logit > largest[lane] ? logit : largest[lane];
        nan[lane] |= logit != logit ? 1 : 0;
      }
    }
    for (; i < end; ++i) {
      largest[0] = std::max(largest[0], logits[i]);
      unordered |= logits[i] != logits[i] ? 1 : 0;
    }
    for (const int32_t lane : nan) unordered |= lane;
    maxima[begin / sampler_block] = *std::max_element(largest, largest + lanes);
    maximum = std::max(maximum, maxima[begin / sampler_block]);
  }
  return unordered != 0 ? std::numeric_limits<float>::quiet_NaN() : maximum;
}

uint64_t block_weights(const float* logits, int32_t n, float maximum, float scale, uint64_t* sums) {
  uint64_t total = 0;
  for (int32_t begin = 0; begin < n; begin += sampler_block) {
    const int32_t end = std::min(n, begin + sampler_block);
    uint64_t sum = 0;
    for (int32_t i = begin; i < end; ++i) sum += token_weight(logits[i], maximum, scale);
    sums[begin / sampler_block] = sum;
    total += sum;
  }
  return total;
}

void weights(const float* logits, int32_t n, float maximum, float scale, uint64_t* out) {
  for (int32_t i = 0; i < n; ++i) out[i] = token_weight(logits[i], maximum, scale);
}

int32_t gather(const float* logits, int32_t n, float threshold, int32_t first, int32_t* ids, float* values) {
  int32_t count = 0;
  for (int32_t i = 0; i < n; ++i) {
    ids[count] = first + i;
    values[count] = logits[i];
    count += logits[i] >= threshold;
  }
  return count;
}

}  // namespace

extern const SamplerLoops sampler_loops_scalar = {"scalar", block_maxima, block_weights, weights, gather};

}  // namespace spct
