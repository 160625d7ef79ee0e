#include <algorithm>
#include <limits>

#include "scoring/sampler_loops.h"
#include "scoring/weight.h"

namespace spct {
namespace {

float block_maxima(const float* logits, int32_t n, float* maxima) {
  float maximum = -std::numeric_limits<float>::infinity();
  bool ordered = true;
  for (int32_t begin = 0; begin < n; begin += sampler_block) {
    const int32_t end = std::min(n, begin + sampler_block);
    float block = -std::numeric_limits<float>::infinity();
    for (int32_t i = begin; i < end; ++i) {
      block = logits[i] > block ? logits[i] : block;
      ordered &= logits[i] == logits[i];
    }
    maxima[begin / sampler_block] = block;
    maximum = std::max(maximum, block);
  }
  return ordered ? maximum : std::numeric_limits<float>::quiet_NaN();
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

int32_t gather(const float* logits, int32_t n, float threshold, int32_t first, int32_t* ids) {
  int32_t count = 0;
  for (int32_t i = 0; i < n; ++i) {
    ids[count] = first + i;
    count += logits[i] >= threshold;
  }
  return count;
}

}  // namespace

extern const SamplerLoops sampler_loops_scalar = {"scalar", block_maxima, block_weights, weights, gather};

}  // namespace spct
