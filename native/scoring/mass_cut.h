#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace spct {

// A prefix of tokens ordered by logit, then by id: every logit above `last`, and the first `ties` equal to it.
struct PrefixCut {
  float last;
  int64_t ties;
};

// Working memory of MassCut, reused from call to call.
struct MassCutScratch {
  std::vector<uint64_t> bins;
  std::vector<uint16_t> bin_of;
  std::vector<float> values;
  std::vector<uint64_t> weights;
  std::vector<float> next_values;
  std::vector<uint64_t> next_weights;
  std::vector<int32_t> order;
};

// The shortest prefix whose weights reach `target`, which is above 0 and at most the sum of all. values: [n] finite
// logits in the order of their ids, weights: [n].
PrefixCut cut_at_mass(const float* values, const uint64_t* weights, size_t n, uint64_t target, MassCutScratch& scratch);

}  // namespace spct
