#include "scoring/mass_cut.h"

#include <algorithm>
#include <cfloat>
#include <numeric>

namespace spct {
namespace {

constexpr size_t bin_count = 1024;
constexpr size_t few = 64;  // sorted at once

struct ValueRange {
  float low;
  float high;
};

// Lanes that do not wait for each other; compilers make vectors of them.
ValueRange value_range(const float* values, size_t n) {
  constexpr size_t lanes = 8;
  float low[lanes];
  float high[lanes];
  std::fill(low, low + lanes, values[0]);
  std::fill(high, high + lanes, values[0]);
  size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    for (size_t lane = 0; lane < lanes; ++lane) {
      const float value = values[i + lane];
      low[lane] = value < low[lane] ? value : low[lane];
      high[lane] = value > high[lane] ? value : high[lane];
    }
  }
  for (; i < n; ++i) {
    low[0] = std::min(low[0], values[i]);
    high[0] = std::max(high[0], values[i]);
  }
  return {*std::min_element(low, low + lanes), *std::max_element(high, high + lanes)};
}

PrefixCut cut_sorted(const float* values, const uint64_t* weights, size_t n, uint64_t target,
                     std::vector<int32_t>& order) {
  order.resize(n);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return values[a] > values[b]; });
  uint64_t mass = 0;
  size_t kept = 0;
  PrefixCut cut{values[order[0]], 0};
  while (mass < target) {
    const int32_t i = order[kept++];
    cut.ties = values[i] == cut.last ? cut.ties + 1 : 1;
    cut.last = values[i];
    mass += weights[i];
  }
  return cut;
}

PrefixCut cut_equal(float value, const uint64_t* weights, uint64_t target) {
  PrefixCut cut{value, 0};
  for (uint64_t mass = 0; mass < target; ++cut.ties) mass += weights[cut.ties];
  return cut;
}

// Keeps the values of one bin; most groups have none.
void copy_bin(const float* values, const uint64_t* weights, size_t n, uint16_t bin, MassCutScratch& scratch) {
  constexpr size_t group = 32;
  scratch.next_values.clear();
  scratch.next_weights.clear();
  const uint16_t* bin_of = scratch.bin_of.data();
  for (size_t begin = 0; begin < n; begin += group) {
    const size_t end = std::min(n, begin + group);
    uint16_t found = 0;
    for (size_t i = begin; i < end; ++i) found |= static_cast<uint16_t>(bin_of[i] == bin);
    if (found == 0) continue;
    for (size_t i = begin; i < end; ++i) {
      if (bin_of[i] != bin) continue;
      scratch.next_values.push_back(values[i]);
      scratch.next_weights.push_back(weights[i]);
    }
  }
}

}  // namespace

// A histogram over the range of the values finds the bin the cut lies in; only that bin is looked at again.
PrefixCut cut_at_mass(const float* values, const uint64_t* weights, size_t n, uint64_t target,
                      MassCutScratch& scratch) {
  while (n > few) {
    const auto [low, high] = value_range(values, n);
    if (low == high) return cut_equal(low, weights, target);
    const double bins_per_unit = (bin_count - 1) / (static_cast<double>(high) - low);
    const float scale = static_cast<float>(std::min(bins_per_unit, double{FLT_MAX}));
    scratch.bin_of.resize(n);
    uint16_t* bin_of = scratch.bin_of.data();
    for (size_t i = 0; i < n; ++i) {
      const float position = (high - values[i]) * scale;
      bin_of[i] = static_cast<uint16_t>(static_cast<int32_t>(position < bin_count - 1 ? position : bin_count - 1));
    }
    // Two histograms in turn: neighbours often fall into one bin, and each addition would wait for the one before.
    scratch.bins.assign(2 * bin_count, 0);
    uint64_t* bins = scratch.bins.data();
    size_t i = 0;
    for (; i + 2 <= n; i += 2) {
      bins[bin_of[i]] += weights[i];
      bins[bin_count + bin_of[i + 1]] += weights[i + 1];
    }
    if (i < n) bins[bin_of[i]] += weights[i];
    uint16_t bin = 0;
    for (; bins[bin] + bins[bin_count + bin] < target; ++bin) target -= bins[bin] + bins[bin_count + bin];

    copy_bin(values, weights, n, bin, scratch);
    if (scratch.next_values.size() == n) break;
    scratch.values.swap(scratch.next_values);
    scratch.weights.swap(scratch.next_weights);
    values = scratch.values.data();
    weights = scratch.weights.data();
    n = scratch.values.size();
  }
  return cut_sorted(values, weights, n, target, scratch.order);
}

}  // namespace spct
