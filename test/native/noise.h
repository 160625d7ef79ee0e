#pragma once

#include <cstdint>
#include <random>
#include <vector>

namespace spct {

// Normal, from a fixed seed.
inline std::vector<float> noise(int64_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& value : values) value = normal(random);
  return values;
}

}  // namespace spct
