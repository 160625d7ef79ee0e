#pragma once

// The loops of the sampler over a vector type, for the files that compile them for one instruction set each. Those
// files include nothing with inline functions of its own: the linker could give their copies to older processors.
//
// Simd has: width; Floats; Longs (64-bit integers); prefetch, load, broadcast, add, subtract, multiply, maximum;
// unordered(a, b), true when any lane of either is NaN; times_power_of_two(power, shifted); to_longs(floats, low,
// high), lanes rounded to integers plus `bias`; add_longs, zero, store; reduce_maximum, reduce_sum; and append(logits,
// threshold, first, ids, values), which writes up to `width` of each and returns how many count.

#include <cstdint>
#include <limits>

#include "scoring/sampler_loops.h"
#include "scoring/weight.h"

namespace spct {
namespace {

template <class Simd>
struct SimdLoops {
  using Floats = typename Simd::Floats;
  using Longs = typename Simd::Longs;
  static constexpr int32_t width = Simd::width;
  static constexpr int32_t floats_of_line = 16;
  static constexpr float lowest = -std::numeric_limits<float>::infinity();
  static constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();
  static constexpr float exp2_4_to_0[] = {exp2_4, exp2_3, exp2_2, exp2_1, 1.0f};
  static_assert(sampler_block % (2 * width) == 0, "a whole block must be whole pairs of vectors");

  static float block_maxima(const float* logits, int32_t n, float* maxima) {
    float maximum = lowest;
    bool unordered = false;
    for (int32_t begin = 0; begin < n; begin += sampler_block) {
      const int32_t end = begin + sampler_block < n ? begin + sampler_block : n;
      Floats even = Simd::broadcast(lowest);
      Floats odd = even;
      int32_t i = begin;
      for (; i + 2 * width <= end; i += 2 * width) {
        // A block ahead: processors stop at the end of a page when they look ahead by themselves.
        for (int32_t line = 0; line < 2 * width; line += floats_of_line)
          Simd::prefetch(logits + i + sampler_block + line);
        const Floats a = Simd::load(logits + i);
        const Floats b = Simd::load(logits + i + width);
        even = Simd::maximum(even, a);
        odd = Simd::maximum(odd, b);
        unordered |= Simd::unordered(a, b);
      }
      float block = Simd::reduce_maximum(Simd::maximum(even, odd));
      for (; i < end; ++i) {
        block = logits[i] > block ? logits[i] : block;
        unordered |= logits[i] != logits[i];
      }
      maxima[begin / sampler_block] = block;
      maximum = block > maximum ? block : maximum;
    }
    return unordered ? not_a_number : maximum;
  }

  // token_weight, lane by lane, before the rounding to integers.
  static Floats scaled_power(Floats logits, Floats maximum, Floats scale) {
    Floats x = Simd::multiply(Simd::subtract(logits, maximum), scale);
    x = Simd::maximum(x, Simd::broadcast(lowest_exponent));
    const Floats shift = Simd::broadcast(round_to_integer);
    const Floats shifted = Simd::add(x, shift);
    const Floats f = Simd::subtract(x, Simd::subtract(shifted, shift));
    Floats power = Simd::broadcast(exp2_5);
    for (const float coefficient : exp2_4_to_0) {
      power = Simd::add(Simd::multiply(power, f), Simd::broadcast(coefficient));
    }
    return Simd::times_power_of_two(power, shifted);
  }

  static uint64_t block_weights(const float* logits, int32_t n, float maximum, float scale, uint64_t* sums) {
    const Floats all_maximum = Simd::broadcast(maximum);
    const Floats all_scale = Simd::broadcast(scale);
    uint64_t total = 0;
    for (int32_t begin = 0; begin < n; begin += sampler_block) {
      const int32_t end = begin + sampler_block < n ? begin + sampler_block : n;
      Longs low_sum = Simd::zero();
      Longs high_sum = low_sum;
      int32_t i = begin;
      for (; i + width <= end; i += width) {
        Longs low;
        Longs high;
        Simd::to_longs(scaled_power(Simd::load(logits + i), all_maximum, all_scale), low, high);
        low_sum = Simd::add_longs(low_sum, low);
        high_sum = Simd::add_longs(high_sum, high);
      }
      uint64_t sum =
          Simd::reduce_sum(Simd::add_longs(low_sum, high_sum)) - static_cast<uint64_t>(i - begin) * Simd::bias;
      for (; i < end; ++i) sum += token_weight(logits[i], maximum, scale);
      sums[begin / sampler_block] = sum;
      total += sum;
    }
    return total;
  }

  static void weights(const float* logits, int32_t n, float maximum, float scale, uint64_t* out) {
    const Floats all_maximum = Simd::broadcast(maximum);
    const Floats all_scale = Simd::broadcast(scale);
    int32_t i = 0;
    for (; i + width <= n; i += width) {
      Longs low;
      Longs high;
      Simd::to_longs(scaled_power(Simd::load(logits + i), all_maximum, all_scale), low, high);
      Simd::store_without_bias(out + i, low);
      Simd::store_without_bias(out + i + width / 2, high);
    }
    for (; i < n; ++i) out[i] = token_weight(logits[i], maximum, scale);
  }

  static int32_t gather(const float* logits, int32_t n, float threshold, int32_t first, int32_t* ids, float* values) {
    const Floats all_threshold = Simd::broadcast(threshold);
    int32_t count = 0;
    int32_t i = 0;
    for (; i + width <= n; i += width) {
      count += Simd::append(Simd::load(logits + i), all_threshold, first + i, ids + count, values + count);
    }
    for (; i < n; ++i) {
      ids[count] = first + i;
      values[count] = logits[i];
      count += logits[i] >= threshold;
    }
    return count;
  }

  static constexpr SamplerLoops table(const char* name) { return {name, block_maxima, block_weights, weights, gather}; }
};

}  // namespace
}  // namespace spct
