#include "train/advantages.h"

#include <algorithm>
#include <cmath>

#include "error.h"

namespace spct {
namespace {

double mean_of(const double* values, int64_t count) {
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += values[i];
  return sum / static_cast<double>(count);
}

// Of a sample: 0 for a single value.
double deviation_of(const double* values, int64_t count) {
  if (count < 2) return 0;
  const double mean = mean_of(values, count);
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += (values[i] - mean) * (values[i] - mean);
  return std::sqrt(sum / static_cast<double>(count - 1));
}

}  // namespace

std::vector<double> group_advantages(const std::vector<double>& rewards, int64_t group_size, AdvantageScale scale,
                                     double epsilon) {
  const int64_t count = static_cast<int64_t>(rewards.size());
  if (group_size < 1 || count == 0 || count % group_size != 0) {
    throw Error("INVALID_ARGUMENT", "Expected rewards for whole groups");
  }
  if (!(epsilon >= 0)) throw Error("INVALID_ARGUMENT", "Expected an advantage epsilon of at least 0");
  for (const double reward : rewards) {
    if (!std::isfinite(reward)) throw Error("INVALID_ARGUMENT", "Expected finite rewards");
  }
  const double batch_deviation = deviation_of(rewards.data(), count);
  std::vector<double> advantages(rewards.size(), 0.0);
  for (int64_t begin = 0; begin < count; begin += group_size) {
    const double* group = rewards.data() + begin;
    const auto [least, most] = std::minmax_element(group, group + group_size);
    if (*least == *most) continue;
    const double mean = mean_of(group, group_size);
    const double deviation = scale == AdvantageScale::group ? deviation_of(group, group_size) : batch_deviation;
    const double divisor = scale == AdvantageScale::none ? 1.0 : deviation + epsilon;
    for (int64_t i = 0; i < group_size; ++i) advantages[begin + i] = (group[i] - mean) / divisor;
  }
  return advantages;
}

}  // namespace spct
