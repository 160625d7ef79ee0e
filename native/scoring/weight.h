#pragma once

#include <cstdint>
#include <cstring>

#include "scoring/device.h"

namespace spct {

// The unnormalized probability of a token as an integer: round(2^40 * 2^x) with x = (logit - maximum) * scale <= 0.
// Integer sums do not depend on their order, so every instruction set, thread count and the GPU draw the same token.
// Needs a compiler that neither contracts a * b + c nor reorders floating-point operations.
constexpr int weight_bits = 40;
constexpr float lowest_exponent = -64.0f;                      // below, 2^40 * 2^x rounds to 0
constexpr float round_to_integer = 12582912.0f + weight_bits;  // adding 1.5 * 2^23 rounds a float to an integer
constexpr double round_to_long = 6755399441055744.0;           // 1.5 * 2^52: the same for a double
constexpr uint64_t round_to_long_bits = 0x4338000000000000u;

// 2^f for |f| <= 0.5, exact at 0: the minimax polynomial of that form, relative error below 1e-7.
constexpr float exp2_5 = 1.326472909586127e-3f;
constexpr float exp2_4 = 9.671512639838020e-3f;
constexpr float exp2_3 = 5.550733737246338e-2f;
constexpr float exp2_2 = 2.402224208549541e-1f;
constexpr float exp2_1 = 6.931469776025206e-1f;

SPCT_DEVICE uint64_t token_weight(float logit, float maximum, float scale) {
  float x = (logit - maximum) * scale;
  x = x > lowest_exponent ? x : lowest_exponent;
  const float shifted = x + round_to_integer;
  const float f = x - (shifted - round_to_integer);
  float power = exp2_5 * f + exp2_4;
  power = power * f + exp2_3;
  power = power * f + exp2_2;
  power = power * f + exp2_1;
  power = power * f + 1.0f;
  uint32_t exponent;
  uint32_t bits;
  memcpy(&exponent, &shifted, sizeof exponent);
  memcpy(&bits, &power, sizeof bits);
  bits += exponent << 23;  // the low bits of the shifted float count 2^40 * 2^x's power of two
  float scaled;
  memcpy(&scaled, &bits, sizeof scaled);
  const double rounded = static_cast<double>(scaled) + round_to_long;
  uint64_t weight;
  memcpy(&weight, &rounded, sizeof weight);
  return weight - round_to_long_bits;
}

}  // namespace spct
