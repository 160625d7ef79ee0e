#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "scoring/sampler_block.h"

namespace spct {

// The inner loops of the sampler for one instruction set. All of them give the same bits.
struct SamplerLoops {
  const char* name;
  // maxima: [ceil(n / sampler_block)]. Returns the maximum of all, NaN when any logit is NaN.
  float (*block_maxima)(const float* logits, int32_t n, float* maxima);
  // sums: [ceil(n / sampler_block)] of token_weight. Returns their sum.
  uint64_t (*block_weights)(const float* logits, int32_t n, float maximum, float scale, uint64_t* sums);
  // weights: [n].
  void (*weights)(const float* logits, int32_t n, float maximum, float scale, uint64_t* weights);
  // Lists the logits >= threshold: first + i into ids, ascending, logits[i] into values. Returns their number; both
  // lists need room for n + 16.
  int32_t (*gather)(const float* logits, int32_t n, float threshold, int32_t first, int32_t* ids, float* values);
};

// The fastest loops this processor can run.
const SamplerLoops& sampler_loops();

// Every variant in this build that this processor can run, the scalar one first.
std::vector<const SamplerLoops*> available_sampler_loops();

}  // namespace spct
