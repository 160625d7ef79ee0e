#pragma once

#include <cstdint>

#include "scoring/device.h"

namespace spct {

// Upper 64 bits of the 128-bit product: scales a random word to [0, b).
SPCT_DEVICE uint64_t multiply_high(uint64_t a, uint64_t b) {
  const uint64_t a_low = a & 0xffffffffu;
  const uint64_t a_high = a >> 32;
  const uint64_t b_low = b & 0xffffffffu;
  const uint64_t b_high = b >> 32;
  const uint64_t low = a_low * b_low;
  const uint64_t middle = a_high * b_low + (low >> 32);
  const uint64_t carry = a_low * b_high + (middle & 0xffffffffu);
  return a_high * b_high + (middle >> 32) + (carry >> 32);
}

struct PhiloxBlock {
  uint32_t word[4];
};

// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011).
SPCT_DEVICE PhiloxBlock philox(PhiloxBlock counter, uint32_t key_low, uint32_t key_high) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t first = uint64_t{0xD2511F53u} * counter.word[0];
    const uint64_t second = uint64_t{0xCD9E8D57u} * counter.word[2];
    counter = {{static_cast<uint32_t>(second >> 32) ^ counter.word[1] ^ key_low, static_cast<uint32_t>(second),
                static_cast<uint32_t>(first >> 32) ^ counter.word[3] ^ key_high, static_cast<uint32_t>(first)}};
    key_low += 0x9E3779B9u;
    key_high += 0xBB67AE85u;
  }
  return counter;
}

// Random bits that depend on nothing but their key, so that a sample's draws do not depend on its slot or neighbours.
SPCT_DEVICE PhiloxBlock random_block(uint64_t seed, uint32_t step, uint32_t index) {
  return philox({{step, index, 0, 0}}, static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32));
}

SPCT_DEVICE uint64_t low_bits(const PhiloxBlock& block) {
  return block.word[0] | static_cast<uint64_t>(block.word[1]) << 32;
}

SPCT_DEVICE uint64_t random_bits(uint64_t seed, uint32_t step) { return low_bits(random_block(seed, step, 0)); }

}  // namespace spct
