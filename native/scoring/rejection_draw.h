#pragma once

// A draw from all tokens of a large row that weighs only a few of them: rejection sampling. Blocks of sampler_block
// tokens are boxes as high as the largest weight in them. A point, evenly spread over all boxes, falls on a token of
// its box; if it lies within that token's weight, the token is drawn, otherwise the next point is tried. Each box holds
// a token as high as itself, so a draw takes at most sampler_block points on average, however the logits lie.

#include <cstdint>

#include "scoring/device.h"
#include "scoring/random.h"
#include "scoring/sampler_block.h"
#include "scoring/weight.h"

namespace spct {

// Fewer tokens are weighed in no more time; of more, the boxes would not fit into the shared memory of a GPU.
constexpr int32_t least_rejection_vocabulary = 1 << 14;
constexpr int32_t most_rejection_boxes = 2048;

SPCT_DEVICE bool draws_by_rejection(int32_t n_vocab) {
  return n_vocab >= least_rejection_vocabulary && n_vocab <= most_rejection_boxes * sampler_block;
}

SPCT_DEVICE int32_t count_boxes(int32_t n_vocab) { return (n_vocab + sampler_block - 1) / sampler_block; }

// The token that the point with this number falls on, or -1 where it lies above the token's weight. tops: the running
// sums of the heights of the boxes, which are the token_weights of their largest logits.
SPCT_DEVICE int32_t try_point(uint64_t seed, uint32_t step, uint32_t point, const uint64_t* tops, const float* logits,
                              int32_t n_vocab, float maximum, float scale) {
  const PhiloxBlock random = random_block(seed, step, point);
  int32_t box = 0;
  int32_t last = count_boxes(n_vocab) - 1;
  const uint64_t level = multiply_high(low_bits(random), tops[last]);
  while (box < last) {
    const int32_t middle = (box + last) / 2;
    if (level < tops[middle]) {
      last = middle;
    } else {
      box = middle + 1;
    }
  }
  const int32_t token = box * sampler_block + static_cast<int32_t>(random.word[2] % sampler_block);
  if (token >= n_vocab) return -1;
  const uint64_t height = level - (box > 0 ? tops[box - 1] : 0);
  return height < token_weight(logits[token], maximum, scale) ? token : -1;
}

}  // namespace spct
