#pragma once

// Floats as integers of the same order, for searches that halve a range of values.

#include <cstdint>
#include <cstring>

#include "scoring/device.h"

namespace spct {

constexpr uint32_t nan_key = 0xffffffffu;
constexpr uint32_t infinity_key = 0xff800000u;
constexpr uint32_t negative_infinity_key = 0x007fffffu;

// -0 and 0 have one key, every NaN has the largest.
SPCT_DEVICE uint32_t key_of(float value) {
  if (value != value) return nan_key;
  const float unsigned_zero = value + 0.0f;
  uint32_t bits;
  memcpy(&bits, &unsigned_zero, sizeof bits);
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

SPCT_DEVICE float value_of(uint32_t key) {
  const uint32_t bits = key & 0x80000000u ? key & 0x7fffffffu : ~key;
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

}  // namespace spct
