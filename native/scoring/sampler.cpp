#include "scoring/sampler.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "scoring/sampler_loops.h"
#include "scoring/sampling_plan.h"
#include "scoring/weight.h"

namespace spct {
namespace {

constexpr size_t cut_bins = 2048;

enum class Support : uint8_t {
  none,    // a row no token can be drawn from
  one,     // scratch.ids[0]
  whole,   // every token, by scratch.block_weights
  listed,  // scratch.ids with scratch.weights
};

// One row made ready for any number of draws with the same parameters.
class RowSampler {
 public:
  RowSampler(const SamplerLoops& loops, SamplerScratch& scratch) : loops_(loops), scratch_(scratch) {}

  void prepare(const float* logits, int32_t n_vocab, const SamplingParams& params, bool want_logprob);
  void draw(Draw& draw);

 private:
  void sum_weights(float scale);
  void gather_from(float threshold);
  void gather_all();
  void take_arg_max();
  void take_top_k();
  void take_top_p();
  void gather_top_p();
  void cut_at_mass(uint64_t target);
  void take_min_p();
  void keep_prefix(float last, int64_t ties);
  void weigh_candidates(float scale);
  int32_t draw_from_whole(uint64_t target);
  int32_t draw_from_list(uint64_t target) const;

  const SamplerLoops& loops_;
  SamplerScratch& scratch_;
  const float* logits_ = nullptr;
  int32_t n_vocab_ = 0;
  SamplingPlan plan_;
  Support support_ = Support::none;
  float maximum_ = 0.0f;
  uint64_t row_total_ = 0;      // of all tokens, at the scale of the last sum_weights
  uint64_t support_total_ = 0;  // of the tokens that can be drawn
};

void RowSampler::prepare(const float* logits, int32_t n_vocab, const SamplingParams& params, bool want_logprob) {
  logits_ = logits;
  n_vocab_ = n_vocab;
  plan_ = plan_sampling(params, n_vocab);
  support_ = Support::none;
  if (n_vocab <= 0) return;
  scratch_.block_maxima.resize((n_vocab + sampler_block - 1) / sampler_block);
  maximum_ = loops_.block_maxima(logits, n_vocab, scratch_.block_maxima.data());
  if (!std::isfinite(maximum_)) return;

  const bool filtered = plan_.top_k > 0 || plan_.top_p > 0 || plan_.has_min_p;
  if (plan_.greedy) {
    take_arg_max();
    support_ = Support::one;
  } else if (filtered) {
    if (plan_.top_k > 0) {
      take_top_k();
      if (plan_.top_p > 0) take_top_p();
    } else if (plan_.top_p > 0) {
      gather_top_p();
    } else {
      gather_from(finite_float(maximum_ + plan_.min_p_drop));
    }
    if (plan_.has_min_p) take_min_p();
    weigh_candidates(plan_.draw_scale);
    support_ = Support::listed;
    support_total_ = std::accumulate(scratch_.weights.begin(), scratch_.weights.end(), uint64_t{0});
  }
  if (want_logprob || support_ == Support::none) sum_weights(plan_.draw_scale);
  if (support_ == Support::none) {
    support_ = Support::whole;
    support_total_ = row_total_;
  }
}

void RowSampler::draw(Draw& draw) {
  draw.token = -1;
  draw.logprob = 0.0f;
  if (support_ == Support::none) return;
  const uint64_t target = multiply_high(random_bits(draw.seed, draw.step), support_total_);
  if (support_ == Support::one) draw.token = scratch_.ids[0];
  if (support_ == Support::whole) draw.token = draw_from_whole(target);
  if (support_ == Support::listed) draw.token = draw_from_list(target);
  if (draw.want_logprob) {
    draw.logprob = log_probability(logits_[draw.token], maximum_, plan_.draw_scale, row_total_);
  }
}

void RowSampler::sum_weights(float scale) {
  scratch_.block_weights.resize(scratch_.block_maxima.size());
  row_total_ = loops_.block_weights(logits_, n_vocab_, maximum_, scale, scratch_.block_weights.data());
}

// Candidates become the tokens with a logit of at least `threshold`.
void RowSampler::gather_from(float threshold) {
  scratch_.ids.resize(static_cast<size_t>(n_vocab_) + 16);
  int32_t count = 0;
  for (size_t block = 0; block < scratch_.block_maxima.size(); ++block) {
    if (scratch_.block_maxima[block] < threshold) continue;
    const int32_t first = static_cast<int32_t>(block) * sampler_block;
    count += loops_.gather(logits_ + first, std::min(sampler_block, n_vocab_ - first), threshold, first,
                           scratch_.ids.data() + count);
  }
  scratch_.ids.resize(count);
  scratch_.values.resize(count);
  for (int32_t i = 0; i < count; ++i) scratch_.values[i] = logits_[scratch_.ids[i]];
}

void RowSampler::gather_all() { gather_from(-std::numeric_limits<float>::infinity()); }

void RowSampler::take_arg_max() {
  size_t block = 0;
  while (scratch_.block_maxima[block] != maximum_) ++block;
  int32_t id = static_cast<int32_t>(block) * sampler_block;
  while (logits_[id] != maximum_) ++id;
  scratch_.ids.assign(1, id);
}

// The k-th largest block maximum bounds the k-th largest logit from below, so few tokens need a closer look.
void RowSampler::take_top_k() {
  const size_t k = plan_.top_k;
  std::vector<float>& order = scratch_.order;
  if (k <= scratch_.block_maxima.size()) {
    order = scratch_.block_maxima;
    std::nth_element(order.begin(), order.begin() + (k - 1), order.end(), std::greater<float>());
    gather_from(order[k - 1]);
  } else {
    gather_all();
  }
  order = scratch_.values;
  std::nth_element(order.begin(), order.begin() + (k - 1), order.end(), std::greater<float>());
  const float last = order[k - 1];
  const int64_t above = std::count_if(order.begin(), order.begin() + k, [&](float value) { return value > last; });
  keep_prefix(last, static_cast<int64_t>(k) - above);
}

// Tokens so light that all of them together could be left out are no candidates.
void RowSampler::gather_top_p() {
  sum_weights(plan_.filter_scale);
  const uint64_t target = std::max<uint64_t>(1, multiply_high(row_total_, plan_.top_p));
  const uint64_t negligible = (row_total_ - target) / static_cast<uint64_t>(n_vocab_);
  const double exponent = (negligible > 0 ? std::log2(static_cast<double>(negligible)) : -1.0) - weight_bits - 0.01;
  const float threshold = finite_float(maximum_ + exponent / plan_.filter_scale);
  gather_from(std::nextafter(threshold, -FLT_MAX));
  cut_at_mass(target);
}

void RowSampler::take_top_p() {
  weigh_candidates(plan_.filter_scale);
  const uint64_t total = std::accumulate(scratch_.weights.begin(), scratch_.weights.end(), uint64_t{0});
  cut_at_mass(std::max<uint64_t>(1, multiply_high(total, plan_.top_p)));
}

// Keeps the shortest prefix of the candidates that holds `target`. A histogram over the range of their logits leaves
// only one bin to sort.
void RowSampler::cut_at_mass(uint64_t target) {
  weigh_candidates(plan_.filter_scale);
  const std::vector<float>& values = scratch_.values;
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  const double bin_width = (static_cast<double>(*high) - *low) / (cut_bins - 1);
  const auto bin_of = [high = *high, bin_width](float value) {
    return bin_width > 0.0 ? static_cast<size_t>((static_cast<double>(high) - value) / bin_width) : 0;
  };
  std::vector<uint64_t>& bins = scratch_.bins;
  bins.assign(cut_bins + 1, 0);
  for (size_t i = 0; i < values.size(); ++i) bins[bin_of(values[i])] += scratch_.weights[i];
  uint64_t mass = 0;
  size_t bin = 0;
  while (mass + bins[bin] < target) mass += bins[bin++];

  std::vector<int32_t>& boundary = scratch_.boundary;
  boundary.clear();
  for (size_t i = 0; i < values.size(); ++i) {
    if (bin_of(values[i]) == bin) boundary.push_back(static_cast<int32_t>(i));
  }
  if (bin_width > 0.0) {
    std::stable_sort(boundary.begin(), boundary.end(), [&](int32_t a, int32_t b) { return values[a] > values[b]; });
  }
  size_t kept = 0;
  while (mass < target) mass += scratch_.weights[boundary[kept++]];
  const float last = values[boundary[kept - 1]];
  const int64_t ties = std::count_if(boundary.begin(), boundary.begin() + kept, [&](int32_t i) { return values[i] == last; });
  keep_prefix(last, ties);
}

void RowSampler::take_min_p() {
  keep_prefix(finite_float(maximum_ + plan_.min_p_drop), n_vocab_);
}

// Drops the candidates below `last`, and of those equal to it all but the first `ties`.
void RowSampler::keep_prefix(float last, int64_t ties) {
  size_t kept = 0;
  for (size_t i = 0; i < scratch_.ids.size(); ++i) {
    const float value = scratch_.values[i];
    if (value < last || (value == last && ties-- <= 0)) continue;
    scratch_.ids[kept] = scratch_.ids[i];
    scratch_.values[kept++] = value;
  }
  scratch_.ids.resize(kept);
  scratch_.values.resize(kept);
}

void RowSampler::weigh_candidates(float scale) {
  scratch_.weights.resize(scratch_.values.size());
  loops_.weights(scratch_.values.data(), static_cast<int32_t>(scratch_.values.size()), maximum_, scale,
                 scratch_.weights.data());
}

// The token whose share of the running sum, in the order of the ids, holds `target`.
int32_t RowSampler::draw_from_whole(uint64_t target) {
  size_t block = 0;
  while (target >= scratch_.block_weights[block]) target -= scratch_.block_weights[block++];
  const int32_t first = static_cast<int32_t>(block) * sampler_block;
  const int32_t size = std::min(sampler_block, n_vocab_ - first);
  scratch_.weights.resize(size);
  loops_.weights(logits_ + first, size, maximum_, plan_.draw_scale, scratch_.weights.data());
  int32_t i = 0;
  while (target >= scratch_.weights[i]) target -= scratch_.weights[i++];
  return first + i;
}

int32_t RowSampler::draw_from_list(uint64_t target) const {
  size_t i = 0;
  while (target >= scratch_.weights[i]) target -= scratch_.weights[i++];
  return scratch_.ids[i];
}

bool same_source(const Draw& a, const Draw& b) {
  return a.row == b.row && a.params.temperature == b.params.temperature && a.params.top_k == b.params.top_k &&
         a.params.top_p == b.params.top_p && a.params.min_p == b.params.min_p && a.params.order == b.params.order &&
         (a.want_logprob || !b.want_logprob);
}

}  // namespace

void sample(const float* logits, int32_t n_vocab, Draw& draw, SamplerScratch& scratch) {
  RowSampler sampler(sampler_loops(), scratch);
  sampler.prepare(logits, n_vocab, draw.params, draw.want_logprob);
  sampler.draw(draw);
}

void sample_batch(const float* logits, int32_t n_vocab, Draw* draws, size_t n, int thread, int threads,
                  SamplerScratch& scratch, const SamplerLoops& loops) {
  const size_t begin = n * thread / threads;
  const size_t end = n * (thread + 1) / threads;
  RowSampler sampler(loops, scratch);
  for (size_t i = begin; i < end; ++i) {
    if (i == begin || !same_source(draws[i - 1], draws[i])) {
      const float* row = logits + static_cast<size_t>(draws[i].row) * n_vocab;
      sampler.prepare(row, n_vocab, draws[i].params, draws[i].want_logprob);
    }
    sampler.draw(draws[i]);
  }
}

void sample_batch(const float* logits, int32_t n_vocab, Draw* draws, size_t n, int thread, int threads,
                  SamplerScratch& scratch) {
  sample_batch(logits, n_vocab, draws, n, thread, threads, scratch, sampler_loops());
}

}  // namespace spct
