#pragma once

// Where a prefix of tokens, ordered by logit and then by id, reaches a given count or mass: found by halving ranges of
// values, without a sort. All functions are called by every thread of the block and return the same to each.

#include <cfloat>
#include <cstdint>

#include "cuda/ordered_key.cuh"
#include "cuda/reduce.cuh"
#include "scoring/random.h"
#include "scoring/weight.h"

namespace spct {

constexpr int list_capacity = 2048;

// Logits in the order of their ids.
struct Tokens {
  const float* values;
  int32_t n;
};

// The tokens above `last`, and those equal to it up to position last_position.
struct Prefix {
  float last;
  int32_t last_position;

  __device__ bool holds(float value, int32_t position) const {
    return value > last || (value == last && position <= last_position);
  }
};

// Only the tokens a prefix ends with.
struct Ties {
  float value;
  int32_t last_position;

  __device__ bool holds(float other, int32_t position) const { return other == value && position <= last_position; }
};

// What a token adds: 1, or its weight at a scale.
struct Measure {
  bool counting;
  float maximum;
  float scale;

  __device__ uint64_t of(float value) const { return counting ? 1 : token_weight(value, maximum, scale); }
};

// Where a prefix ends by value alone: with some of the tokens equal to `key`.
struct PrefixEnd {
  uint32_t key;
  uint64_t above;  // what the tokens above key add up to
  uint64_t ties;   // what those equal to it add up to
};

template <int threads>
struct PrefixSearchShared {
  uint32_t keys[list_capacity];
  uint64_t weights[list_capacity];
  uint64_t sums[6 * threads / warp_size];
  int count;
};

SPCT_DEVICE uint64_t mass_target(uint64_t total, uint64_t share) {
  const uint64_t target = multiply_high(total, share);
  return target > 0 ? target : 1;
}

// A slot of a list for every thread of the warp that wants one, -1 for the others. The whole warp must call.
__device__ inline int append_slot(bool wanted, int* count) {
  const unsigned lanes = __ballot_sync(whole_warp, wanted);
  if (lanes == 0) return -1;
  const int lane = threadIdx.x % warp_size;
  int first = 0;
  if (lane == 0) first = atomicAdd(count, __popc(lanes));
  first = __shfl_sync(whole_warp, first, 0);
  return wanted ? first + __popc(lanes & ((1u << lane) - 1)) : -1;
}

// Warp w adds up the selected tokens of the w-th part of [begin, end) and leaves its sum in shared.sums[w]. Returns the
// sum of all.
template <int threads, class Selection>
__device__ uint64_t sum_segments(const Tokens& tokens, const Selection& selection, const Measure& measure, int begin,
                                 int end, PrefixSearchShared<threads>& shared) {
  constexpr int warps = threads / warp_size;
  const int lane = threadIdx.x % warp_size;
  const int warp = threadIdx.x / warp_size;
  const int segment = (end - begin + warps - 1) / warps;
  const int stop = min(end, begin + (warp + 1) * segment);
  uint64_t sum = 0;
  for (int i = begin + warp * segment + lane; i < stop; i += warp_size) {
    const float value = tokens.values[i];
    if (selection.holds(value, i)) sum += measure.of(value);
  }
  sum = warp_sum(sum);
  __syncthreads();  // the sums before these have been read
  if (lane == 0) shared.sums[warp] = sum;
  __syncthreads();
  uint64_t total = 0;
  for (int i = 0; i < warps; ++i) total += shared.sums[i];
  return total;
}

// The position whose share of the running sum holds `target`, which is less than the sum. Follows a sum_segments over
// all tokens with the same selection and measure.
template <int threads, class Selection>
__device__ int find_position(const Tokens& tokens, const Selection& selection, const Measure& measure, uint64_t target,
                             PrefixSearchShared<threads>& shared) {
  constexpr int warps = threads / warp_size;
  int begin = 0;
  int end = tokens.n;
  while (true) {
    const int segment = (end - begin + warps - 1) / warps;
    int warp = 0;
    while (target >= shared.sums[warp]) target -= shared.sums[warp++];
    begin += warp * segment;
    end = min(end, begin + segment);
    if (end - begin <= warp_size) break;
    sum_segments<threads>(tokens, selection, measure, begin, end, shared);
  }
  const int i = begin + static_cast<int>(threadIdx.x % warp_size);
  const float value = i < end ? tokens.values[i] : 0.0f;
  const bool selected = i < end && selection.holds(value, i);
  const uint64_t running = warp_inclusive_sum(selected ? measure.of(value) : uint64_t{0});
  return begin + __ffs(__ballot_sync(whole_warp, target < running)) - 1;
}

// Searches shared.keys and shared.weights [count]. The tokens at or above `low` reach the target, those at or above
// `high`, which are not collected and add up to `above`, do not. Every warp tries one key of the range at a time.
template <int threads>
__device__ PrefixEnd search_collected(uint32_t low, uint32_t high, uint64_t above, uint64_t target, int count,
                                      PrefixSearchShared<threads>& shared) {
  constexpr int warps = threads / warp_size;
  const int lane = threadIdx.x % warp_size;
  const int warp = threadIdx.x / warp_size;
  uint64_t above_high = above;
  while (high - low > 1) {
    const uint64_t range = high - low;
    const uint32_t pivot = low + static_cast<uint32_t>(range * (warp + 1) / (warps + 1));
    uint64_t sum = 0;
    for (int i = lane; i < count; i += warp_size) {
      if (shared.keys[i] >= pivot) sum += shared.weights[i];
    }
    sum = warp_sum(sum);
    if (lane == 0) shared.sums[warp] = sum;
    __syncthreads();
    const uint32_t first = low;
    for (int i = 0; i < warps; ++i) {
      const uint32_t tried = first + static_cast<uint32_t>(range * (i + 1) / (warps + 1));
      const uint64_t reached = above + shared.sums[i];
      if (reached >= target) {
        low = tried;
      } else if (tried < high) {
        high = tried;
        above_high = reached;
      }
    }
    __syncthreads();
  }
  uint64_t ties[1] = {0};
  for (int i = threadIdx.x; i < count; i += threads) ties[0] += shared.keys[i] == low ? shared.weights[i] : 0;
  block_sum<threads>(ties, shared.sums);
  return {low, above_high, ties[0]};
}

// Narrows the range [low, high) of keys an end lies in to about a quarter, by one pass over the tokens.
template <int threads>
__device__ void narrow(const Tokens& tokens, const Prefix& domain, const Measure& measure, uint64_t target,
                       uint32_t& low, uint32_t& high, uint64_t& above, PrefixSearchShared<threads>& shared) {
  constexpr int pivots = 3;
  const uint64_t range = high - low;
  uint32_t pivot[pivots];
  for (int j = 0; j < pivots; ++j) pivot[j] = low + static_cast<uint32_t>(range * (j + 1) / (pivots + 1));
  uint64_t sums[pivots] = {};
  for (int i = threadIdx.x; i < tokens.n; i += threads) {
    const float value = tokens.values[i];
    const uint32_t key = key_of(value);
    if (key < low || key >= high || !domain.holds(value, i)) continue;
    const uint64_t weight = measure.of(value);
    for (int j = 0; j < pivots; ++j) sums[j] += key >= pivot[j] ? weight : 0;
  }
  block_sum<threads>(sums, shared.sums);
  const uint64_t above_before = above;
  for (int j = pivots - 1; j >= 0; --j) {
    if (above_before + sums[j] >= target) {
      low = pivot[j];
      return;
    }
    high = pivot[j];
    above = above_before + sums[j];
  }
}

// Lists the keys in [low, high) with their measures in shared.keys and shared.weights. Returns how many there are, also
// when they do not fit.
template <int threads>
__device__ int collect(const Tokens& tokens, const Prefix& domain, const Measure& measure, uint32_t low, uint32_t high,
                       PrefixSearchShared<threads>& shared) {
  if (threadIdx.x == 0) shared.count = 0;
  __syncthreads();
  for (int begin = 0; begin < tokens.n; begin += threads) {
    const int i = begin + static_cast<int>(threadIdx.x);
    const float value = i < tokens.n ? tokens.values[i] : 0.0f;
    const uint32_t key = key_of(value);
    const int slot = append_slot(i < tokens.n && key >= low && key < high && domain.holds(value, i), &shared.count);
    if (slot >= 0 && slot < list_capacity) {
      shared.keys[slot] = key;
      shared.weights[slot] = measure.of(value);
    }
  }
  __syncthreads();
  const int count = shared.count;
  __syncthreads();  // it may be set again
  return count;
}

// The shortest prefix of the tokens in `domain` that measures at least `target`; the domain itself does.
template <int threads>
__device__ Prefix find_prefix(const Tokens& tokens, const Prefix& domain, const Measure& measure, uint32_t maximum_key,
                              uint64_t target, PrefixSearchShared<threads>& shared) {
  uint32_t low = key_of(domain.last);
  uint32_t high = maximum_key + 1;
  uint64_t above = 0;
  PrefixEnd end;
  while (true) {
    const int count = collect<threads>(tokens, domain, measure, low, high, shared);
    if (count <= list_capacity) {
      end = search_collected<threads>(low, high, above, target, count, shared);
      break;
    }
    if (high - low == 1) {
      end = {low, above, count * measure.of(value_of(low))};
      break;
    }
    narrow<threads>(tokens, domain, measure, target, low, high, above, shared);
  }
  // All ties add the same, and the first of them are taken.
  const float last = value_of(end.key);
  const int32_t last_position = last == domain.last ? domain.last_position : tokens.n;
  const uint64_t weight = measure.of(last);
  const uint64_t ties = (target - end.above + weight - 1) / weight;
  if (ties * weight == end.ties) return {last, last_position};
  const Ties equal = {last, last_position};
  const Measure counting = {true, 0.0f, 0.0f};
  sum_segments<threads>(tokens, equal, counting, 0, tokens.n, shared);
  return {last, find_position<threads>(tokens, equal, counting, ties - 1, shared)};
}

}  // namespace spct
