#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <vector>

#include "scoring/random.h"
#include "scoring/rejection_draw.h"
#include "scoring/sampler.h"
#include "scoring/sampling_plan.h"
#include "scoring/weight.h"

namespace spct {

// All ids in the order the filters see: by logit, then by id.
inline std::vector<int32_t> ranked_ids(const float* logits, int32_t n_vocab) {
  std::vector<int32_t> ids(n_vocab);
  std::iota(ids.begin(), ids.end(), 0);
  std::stable_sort(ids.begin(), ids.end(), [&](int32_t a, int32_t b) { return logits[a] > logits[b]; });
  return ids;
}

// The probabilities a chain leaves to each token, in plain double arithmetic, with a sort of everything.
inline std::vector<double> chain_probabilities(const std::vector<float>& logits, const SamplingParams& params) {
  const int32_t n = static_cast<int32_t>(logits.size());
  std::vector<int32_t> ids = ranked_ids(logits.data(), n);
  const double maximum = logits[ids[0]];
  const double filter_temperature = params.order == ChainOrder::temperature_first ? params.temperature : 1.0;
  const auto filter_weight = [&](int32_t id) { return std::exp((logits[id] - maximum) / filter_temperature); };
  if (params.top_k > 0 && params.top_k < n) ids.resize(params.top_k);
  if (params.top_p < 1.0f) {
    double total = 0.0;
    for (const int32_t id : ids) total += filter_weight(id);
    double mass = 0.0;
    size_t kept = 0;
    do mass += filter_weight(ids[kept++]);
    while (kept < ids.size() && mass < params.top_p * total);
    ids.resize(kept);
  }
  while (filter_weight(ids.back()) < params.min_p) ids.pop_back();
  std::vector<double> probabilities(n, 0.0);
  double total = 0.0;
  for (const int32_t id : ids) total += std::exp((logits[id] - maximum) / params.temperature);
  for (const int32_t id : ids) probabilities[id] = std::exp((logits[id] - maximum) / params.temperature) / total;
  return probabilities;
}

// Points over boxes of 256 tokens, until one lies within the weight of the token it falls on.
inline int32_t reference_rejection(const float* logits, int32_t n_vocab, float maximum, float scale, const Draw& draw) {
  std::vector<uint64_t> heights((n_vocab + 255) / 256);
  uint64_t total = 0;
  for (size_t box = 0; box < heights.size(); ++box) {
    const float* begin = logits + box * 256;
    heights[box] = token_weight(*std::max_element(begin, std::min(begin + 256, logits + n_vocab)), maximum, scale);
    total += heights[box];
  }
  for (uint32_t point = 0;; ++point) {
    const PhiloxBlock random =
        philox({{draw.step, point, 0, 0}}, static_cast<uint32_t>(draw.seed), static_cast<uint32_t>(draw.seed >> 32));
    uint64_t level = multiply_high(random.word[0] | static_cast<uint64_t>(random.word[1]) << 32, total);
    int32_t first = 0;
    for (const uint64_t* height = heights.data(); level >= *height; ++height, first += 256) level -= *height;
    const int32_t token = first + static_cast<int32_t>(random.word[2] & 255);
    if (token < n_vocab && level < token_weight(logits[token], maximum, scale)) return token;
  }
}

// The token and log-probability the sampler's definition asks for, in the integers of token_weight.
inline Draw reference_draw(const float* logits, int32_t n_vocab, Draw draw) {
  draw.token = -1;
  draw.logprob = 0.0f;
  float maximum = -INFINITY;
  for (int32_t id = 0; id < n_vocab; ++id) {
    if (std::isnan(logits[id])) return draw;
    maximum = std::max(maximum, logits[id]);
  }
  if (!std::isfinite(maximum)) return draw;
  const SamplingPlan plan = plan_sampling(draw.params, n_vocab);
  std::vector<int32_t> ids = ranked_ids(logits, n_vocab);
  uint64_t row_total = 0;
  for (const int32_t id : ids) row_total += token_weight(logits[id], maximum, plan.draw_scale);
  if (plan.greedy) ids.resize(1);
  if (plan.top_k > 0) ids.resize(plan.top_k);
  if (plan.top_p > 0) {
    uint64_t total = 0;
    for (const int32_t id : ids) total += token_weight(logits[id], maximum, plan.filter_scale);
    const uint64_t target = std::max<uint64_t>(1, multiply_high(total, plan.top_p));
    uint64_t mass = 0;
    size_t kept = 0;
    while (mass < target) mass += token_weight(logits[ids[kept++]], maximum, plan.filter_scale);
    ids.resize(kept);
  }
  if (plan.has_min_p) {
    while (logits[ids.back()] < finite_float(maximum + plan.min_p_drop)) ids.pop_back();
  }
  std::sort(ids.begin(), ids.end());
  uint64_t total = 0;
  for (const int32_t id : ids) total += token_weight(logits[id], maximum, plan.draw_scale);
  uint64_t target = multiply_high(random_bits(draw.seed, draw.step), total);
  for (const int32_t id : ids) {
    const uint64_t weight = token_weight(logits[id], maximum, plan.draw_scale);
    if (target < weight) {
      draw.token = id;
      break;
    }
    target -= weight;
  }
  if (plan.keeps_everything() && draws_by_rejection(n_vocab)) {
    draw.token = reference_rejection(logits, n_vocab, maximum, plan.draw_scale, draw);
  }
  if (draw.forced >= 0) draw.token = draw.forced;
  if (draw.want_logprob) draw.logprob = log_probability(logits[draw.token], maximum, plan.draw_scale, row_total);
  return draw;
}

}  // namespace spct
