#include "scoring/sampling_plan.h"

#include <algorithm>
#include <cfloat>
#include <cmath>

#include "scoring/weight.h"

namespace spct {
namespace {

constexpr double log2_e = 1.4426950408889634;

// Finite and above 0, so that neither 0 * infinity nor infinity * 0 can arise from an extreme temperature.
float scale_of(double temperature) {
  return static_cast<float>(std::clamp(log2_e / temperature, double{FLT_MIN}, double{FLT_MAX}));
}

}  // namespace

SamplingPlan plan_sampling(const SamplingParams& params, int32_t n_vocab) {
  SamplingPlan plan = {};
  plan.greedy = !(params.temperature > 0.0f);
  const double temperature = plan.greedy ? 1.0 : params.temperature;
  const double filter_temperature = params.order == ChainOrder::temperature_first ? temperature : 1.0;
  plan.draw_scale = scale_of(temperature);
  plan.filter_scale = scale_of(filter_temperature);
  if (plan.greedy) return plan;
  if (params.top_k > 0 && params.top_k < n_vocab) plan.top_k = params.top_k;
  if (params.top_p < 1.0f) {
    plan.top_p = std::max<uint64_t>(1, static_cast<uint64_t>(std::ldexp(std::max(0.0, double{params.top_p}), 64)));
  }
  if (params.min_p > 0.0f) {
    plan.has_min_p = true;
    plan.min_p_drop = filter_temperature * std::log(std::min(1.0, double{params.min_p}));
  }
  return plan;
}

float log_probability(float logit, float maximum, float scale, uint64_t total) {
  const double exponent = (static_cast<double>(logit) - maximum) * scale + weight_bits;
  return static_cast<float>((exponent - std::log2(static_cast<double>(total))) / log2_e);
}

}  // namespace spct
