#pragma once

// Draws one token per block from a row of logits; sample() in native/scoring is the specification, to the bit.
//
// A block reads its row once for the maximum, once to gather the few tokens the filters can leave into shared memory,
// and once more where a sum over the whole row is needed (top-p without top-k, log-probabilities, a small row without
// filters). Of a large row without filters it keeps the maxima of the boxes that points are thrown at.
// Rows whose candidates do not fit are searched where they lie. Weights are integers, so no order of addition matters.

#include <cfloat>
#include <cstdint>

#include "cuda/device_draw.h"
#include "cuda/ordered_key.cuh"
#include "cuda/prefix_search.cuh"
#include "cuda/reduce.cuh"
#include "scoring/random.h"
#include "scoring/rejection_draw.h"
#include "scoring/weight.h"

namespace spct {

template <int threads>
struct SamplerShared {
  DeviceDraw draw;
  PrefixSearchShared<threads> search;
  float list_values[list_capacity];
  int32_t list_ids[list_capacity];
  int list_count;
};

// Sorts [size] entries by id; size is a power of two. Bitonic.
template <int threads>
__device__ void sort_by_id(int32_t* ids, float* values, int size) {
  for (int run = 2; run <= size; run *= 2) {
    for (int distance = run / 2; distance > 0; distance /= 2) {
      for (int i = threadIdx.x; i < size; i += threads) {
        const int other = i ^ distance;
        const bool ascending = (i & run) == 0;
        if (other > i && (ids[i] > ids[other]) == ascending) {
          const int32_t id = ids[i];
          const float value = values[i];
          ids[i] = ids[other];
          values[i] = values[other];
          ids[other] = id;
          values[other] = value;
        }
      }
      __syncthreads();
    }
  }
}

// Lists the tokens of at least `lowest` in the order of their ids. False, and an unusable list, when they do not fit.
template <int threads>
__device__ bool gather_list(const float* row, int32_t n_vocab, float lowest, SamplerShared<threads>& shared) {
  if (threadIdx.x == 0) shared.list_count = 0;
  __syncthreads();
  for (int begin = 0; begin < n_vocab; begin += threads) {
    const int id = begin + threadIdx.x;
    const float value = id < n_vocab ? row[id] : 0.0f;
    const int slot = append_slot(id < n_vocab && value >= lowest, &shared.list_count);
    if (slot >= 0 && slot < list_capacity) {
      shared.list_values[slot] = value;
      shared.list_ids[slot] = id;
    }
  }
  __syncthreads();
  const int count = shared.list_count;
  if (count > list_capacity) return false;
  int size = 1;
  while (size < count) size *= 2;
  for (int i = count + threadIdx.x; i < size; i += threads) shared.list_ids[i] = INT32_MAX;
  __syncthreads();
  sort_by_id<threads>(shared.list_ids, shared.list_values, size);
  return true;
}

// A value that bounds from below every token the filters can leave; -infinity where there is none to be had cheaply.
// thread_best: the key of the largest logit this thread has seen.
template <int threads>
__device__ float candidate_bound(const SamplingPlan& plan, const Tokens& row, float maximum, uint32_t thread_best,
                                 uint64_t top_p_total, SamplerShared<threads>& shared) {
  if (plan.top_k > 0) {
    // The k-th largest of the threads' maxima is at most the k-th largest logit.
    if (plan.top_k > threads / 2) return -FLT_MAX;
    shared.search.keys[threadIdx.x] = thread_best;
    shared.search.weights[threadIdx.x] = 1;
    __syncthreads();
    const PrefixEnd end = search_collected<threads>(0, key_of(maximum) + 1, 0, plan.top_k, threads, shared.search);
    return fmaxf(value_of(end.key), -FLT_MAX);
  }
  if (plan.top_p > 0) {
    // Tokens so light that all of them together could be left out are no candidates.
    const uint64_t target = mass_target(top_p_total, plan.top_p);
    const uint64_t negligible = (top_p_total - target) / static_cast<uint64_t>(row.n);
    const double exponent = (negligible > 0 ? log2(static_cast<double>(negligible)) : -1.0) - weight_bits - 0.01;
    return nextafterf(finite_float(maximum + exponent / plan.filter_scale), -FLT_MAX);
  }
  return finite_float(maximum + plan.min_p_drop);
}

template <int threads>
__device__ Prefix filtered_prefix(const SamplingPlan& plan, const Tokens& tokens, float maximum, uint64_t top_p_total,
                                  PrefixSearchShared<threads>& shared) {
  Prefix prefix = {-FLT_MAX, tokens.n};
  if (plan.top_k > 0) {
    const Measure counting = {true, 0.0f, 0.0f};
    const uint64_t k = plan.top_k;
    if (sum_segments<threads>(tokens, prefix, counting, 0, tokens.n, shared) > k) {
      prefix = find_prefix<threads>(tokens, prefix, counting, key_of(maximum), k, shared);
    }
  }
  if (plan.top_p > 0) {
    const Measure measure = {false, maximum, plan.filter_scale};
    const uint64_t total =
        plan.top_k > 0 ? sum_segments<threads>(tokens, prefix, measure, 0, tokens.n, shared) : top_p_total;
    prefix = find_prefix<threads>(tokens, prefix, measure, key_of(maximum), mass_target(total, plan.top_p), shared);
  }
  if (plan.has_min_p) {
    const float lowest = finite_float(maximum + plan.min_p_drop);
    if (lowest > prefix.last) prefix = {lowest, tokens.n};
  }
  return prefix;
}

// Leaves the keys of the boxes' largest logits in shared.keys. Returns that of the whole row.
template <int threads>
__device__ uint32_t box_maxima(const Tokens& row, PrefixSearchShared<threads>& shared) {
  constexpr int warps = threads / warp_size;
  const int lane = threadIdx.x % warp_size;
  const int boxes = count_boxes(row.n);
  uint32_t best = 0;
  for (int box = threadIdx.x / warp_size; box < boxes; box += warps) {
    const int begin = box * sampler_block;
    const int end = min(begin + sampler_block, row.n);
    uint32_t key = 0;
    for (int id = begin + lane; id < end; id += warp_size) key = max(key, key_of(row.values[id]));
    key = warp_max(key);
    if (lane == 0) shared.keys[box] = key;
    best = max(best, key);
  }
  return static_cast<uint32_t>(block_max<threads>(static_cast<uint64_t>(best), shared.sums));
}

// Turns the keys of box_maxima into the running sums of the boxes' heights, in shared.weights.
template <int threads>
__device__ void stack_boxes(int boxes, const Measure& measure, PrefixSearchShared<threads>& shared) {
  constexpr int warps = threads / warp_size;
  const int lane = threadIdx.x % warp_size;
  const int warp = threadIdx.x / warp_size;
  const int segment = (boxes + warps - 1) / warps;
  const int first = warp * segment;
  uint64_t top = 0;
  for (int begin = first; begin < first + segment; begin += warp_size) {
    const int box = begin + lane;
    const bool mine = box < min(first + segment, boxes);
    const uint64_t running = top + warp_inclusive_sum(mine ? measure.of(value_of(shared.keys[box])) : uint64_t{0});
    if (mine) shared.weights[box] = running;
    top = __shfl_sync(whole_warp, running, warp_size - 1);
  }
  if (lane == 0) shared.sums[warp] = top;
  __syncthreads();
  uint64_t below = 0;
  for (int i = 0; i < warp; ++i) below += shared.sums[i];
  for (int box = first + lane; box < min(first + segment, boxes); box += warp_size) shared.weights[box] += below;
  __syncthreads();
}

// Every thread tries one point at a time; the first point that is a draw counts.
template <int threads>
__device__ int32_t draw_by_rejection(const DeviceDraw& draw, const Tokens& row, const Measure& measure,
                                     PrefixSearchShared<threads>& shared) {
  for (uint32_t first = 0;; first += threads) {
    const int32_t token = try_point(draw.seed, draw.step, first + threadIdx.x, shared.weights, row.values, row.n,
                                    measure.maximum, measure.scale);
    const uint64_t rank = token < 0 ? 0 : static_cast<uint64_t>(threads - threadIdx.x) << 32 | token;
    const uint64_t best = block_max<threads>(rank, shared.sums);
    if (best > 0) return static_cast<int32_t>(best);
  }
}

// logits: [rows, n_vocab]; draws, results: one per block.
template <int threads>
__global__ void __launch_bounds__(threads)
    sample_rows(const float* logits, int32_t n_vocab, const DeviceDraw* draws, DeviceToken* results) {
  static_assert(threads >= 2 * warp_size && threads <= list_capacity, "a search splits ranges among the warps");
  static_assert(most_rejection_boxes <= list_capacity, "the search's memory holds the boxes");
  __shared__ SamplerShared<threads> shared;
  if (threadIdx.x == 0) shared.draw = draws[blockIdx.x];  // once: draws may lie in host memory
  __syncthreads();
  const DeviceDraw& draw = shared.draw;
  const SamplingPlan& plan = draw.plan;
  const Tokens row = {logits + static_cast<size_t>(draw.row) * n_vocab, n_vocab};

  const bool whole = plan.keeps_everything();
  const bool by_rejection = whole && draws_by_rejection(n_vocab);
  uint32_t best_key = 0;
  uint32_t best_id = 0;
  uint32_t maximum_key;
  if (by_rejection) {
    maximum_key = box_maxima<threads>(row, shared.search);
  } else {
    for (int id = threadIdx.x; id < n_vocab; id += threads) {
      const uint32_t key = key_of(row.values[id]);
      if (key > best_key) {
        best_key = key;
        best_id = id;
      }
    }
    const uint64_t best =
        block_max<threads>(static_cast<uint64_t>(best_key) << 32 | (0xffffffffu - best_id), shared.search.sums);
    maximum_key = static_cast<uint32_t>(best >> 32);
    best_id = 0xffffffffu - static_cast<uint32_t>(best);
  }
  const float maximum = value_of(maximum_key);
  DeviceToken result = {-1, 0.0f, 0.0f, 0};
  if (maximum_key > negative_infinity_key && maximum_key < infinity_key) {
    const Measure draw_measure = {false, maximum, plan.draw_scale};
    const Prefix everything = {-FLT_MAX, n_vocab};
    result.maximum = maximum;
    if (draw.forced >= 0) {
      result.token = draw.forced;
      result.logit = row.values[draw.forced];
    } else if (plan.greedy) {
      result.token = static_cast<int32_t>(best_id);
      result.logit = maximum;
    } else if (by_rejection) {
      stack_boxes<threads>(count_boxes(n_vocab), draw_measure, shared.search);
      result.token = draw_by_rejection<threads>(draw, row, draw_measure, shared.search);
      result.logit = row.values[result.token];
    } else {
      Tokens tokens = row;
      const int32_t* ids = nullptr;
      Prefix prefix = everything;
      if (!whole) {
        uint64_t top_p_total = 0;
        if (plan.top_p > 0 && plan.top_k == 0) {
          const Measure measure = {false, maximum, plan.filter_scale};
          top_p_total = sum_segments<threads>(row, everything, measure, 0, n_vocab, shared.search);
        }
        const float bound = candidate_bound<threads>(plan, row, maximum, best_key, top_p_total, shared);
        if (gather_list<threads>(row.values, n_vocab, bound, shared)) {
          tokens = {shared.list_values, shared.list_count};
          ids = shared.list_ids;
        }
        prefix = filtered_prefix<threads>(plan, tokens, maximum, top_p_total, shared.search);
      }
      const uint64_t total = sum_segments<threads>(tokens, prefix, draw_measure, 0, tokens.n, shared.search);
      const uint64_t target = multiply_high(random_bits(draw.seed, draw.step), total);
      const int position = find_position<threads>(tokens, prefix, draw_measure, target, shared.search);
      result.token = ids != nullptr ? ids[position] : position;
      result.logit = tokens.values[position];
      if (whole) result.row_total = total;
    }
    if (draw.want_logprob && result.row_total == 0) {
      result.row_total = sum_segments<threads>(row, everything, draw_measure, 0, n_vocab, shared.search);
    }
  }
  if (threadIdx.x == 0) results[blockIdx.x] = result;
}

}  // namespace spct
