#include "scoring/sampler.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "scoring/rejection_draw.h"
#include "scoring/sampler_loops.h"
#include "scoring/sampling_plan.h"
#include "scoring/weight.h"

namespace spct {
namespace {

// One row made ready for any number of draws with the same parameters. Every filter keeps a prefix of the tokens
// ordered by logit and id, so it comes down to finding where the prefix ends.
class RowSampler {
 public:
  RowSampler(const SamplerLoops& loops, SamplerScratch& scratch) : loops_(loops), scratch_(scratch) {}

  void prepare(const float* logits, int32_t n_vocab, const SamplingParams& params, bool want_logprob);
  void draw(Draw& draw);

 private:
  PrefixCut support_cut();
  PrefixCut top_k_cut();
  PrefixCut top_p_cut(bool after_top_k);
  void keep(PrefixCut cut);
  void gather(float threshold);
  void gather_largest(size_t k);
  void gather_mass(uint64_t row_total, uint64_t target);
  uint64_t weigh_candidates(float scale);
  uint64_t sum_blocks(const float* values, size_t n, float scale);
  float nth_block_maximum(size_t n);
  void stack_boxes();
  size_t position_by_rejection(const Draw& draw) const;
  size_t position_by_share(const Draw& draw) const;

  const SamplerLoops& loops_;
  SamplerScratch& scratch_;
  const float* logits_ = nullptr;
  int32_t n_vocab_ = 0;
  SamplingPlan plan_ = {};
  float maximum_ = 0.0f;
  size_t candidates_ = 0;                 // in scratch: their ids, ascending, and logits
  uint64_t row_total_ = 0;                // weights of all tokens, for log-probabilities
  const float* support_ = nullptr;        // logits of the tokens that can be drawn; none without a usable row
  const int32_t* support_ids_ = nullptr;  // none: the position is the id
  size_t support_size_ = 0;
  uint64_t support_total_ = 0;  // not of a row that is drawn from by rejection
  bool by_rejection_ = false;
};

void RowSampler::prepare(const float* logits, int32_t n_vocab, const SamplingParams& params, bool want_logprob) {
  logits_ = logits;
  n_vocab_ = n_vocab;
  support_ = nullptr;
  if (n_vocab <= 0) return;
  plan_ = plan_sampling(params, n_vocab);
  scratch_.block_maxima.resize((n_vocab + sampler_block - 1) / sampler_block);
  const size_t room = static_cast<size_t>(n_vocab) + 16;  // gather writes whole vectors
  scratch_.ids.resize(std::max(scratch_.ids.size(), room));
  scratch_.values.resize(std::max(scratch_.values.size(), room));
  maximum_ = loops_.block_maxima(logits, n_vocab, scratch_.block_maxima.data());
  if (!std::isfinite(maximum_)) return;

  const bool whole = plan_.keeps_everything();
  if (!whole) keep(support_cut());
  support_ = whole ? logits : scratch_.values.data();
  support_ids_ = whole ? nullptr : scratch_.ids.data();
  support_size_ = whole ? n_vocab : candidates_;
  if (want_logprob) row_total_ = sum_blocks(logits, n_vocab, plan_.draw_scale);
  by_rejection_ = whole && draws_by_rejection(n_vocab);
  if (by_rejection_) {
    stack_boxes();
  } else {
    support_total_ = whole && want_logprob ? row_total_ : sum_blocks(support_, support_size_, plan_.draw_scale);
  }
}

void RowSampler::draw(Draw& draw) {
  draw.token = -1;
  draw.logprob = 0.0f;
  if (support_ == nullptr) return;
  if (draw.forced >= 0) {
    draw.token = draw.forced;
    if (draw.want_logprob) {
      draw.logprob = log_probability(logits_[draw.forced], maximum_, plan_.draw_scale, row_total_);
    }
    return;
  }
  const size_t position = by_rejection_ ? position_by_rejection(draw) : position_by_share(draw);
  draw.token = support_ids_ != nullptr ? support_ids_[position] : static_cast<int32_t>(position);
  if (draw.want_logprob) draw.logprob = log_probability(support_[position], maximum_, plan_.draw_scale, row_total_);
}

size_t RowSampler::position_by_rejection(const Draw& draw) const {
  for (uint32_t point = 0;; ++point) {
    const int32_t token =
        try_point(draw.seed, draw.step, point, scratch_.box_tops.data(), logits_, n_vocab_, maximum_, plan_.draw_scale);
    if (token >= 0) return token;
  }
}

// Where a random share of the total lies in the running sum, in the order of the ids.
size_t RowSampler::position_by_share(const Draw& draw) const {
  uint64_t target = multiply_high(random_bits(draw.seed, draw.step), support_total_);
  size_t block = 0;
  while (target >= scratch_.block_weights[block]) target -= scratch_.block_weights[block++];
  size_t position = block * sampler_block;
  uint64_t weights[sampler_block];
  const int32_t size = static_cast<int32_t>(std::min<size_t>(sampler_block, support_size_ - position));
  loops_.weights(support_ + position, size, maximum_, plan_.draw_scale, weights);
  for (const uint64_t* weight = weights; target >= *weight; ++weight, ++position) target -= *weight;
  return position;
}

void RowSampler::stack_boxes() {
  const std::vector<float>& maxima = scratch_.block_maxima;
  std::vector<uint64_t>& tops = scratch_.box_tops;
  tops.resize(maxima.size());
  loops_.weights(maxima.data(), static_cast<int32_t>(maxima.size()), maximum_, plan_.draw_scale, tops.data());
  std::partial_sum(tops.begin(), tops.end(), tops.begin());
}

PrefixCut RowSampler::support_cut() {
  if (plan_.greedy) return {maximum_, 1};
  PrefixCut cut{-FLT_MAX, n_vocab_};
  if (plan_.top_k > 0) cut = top_k_cut();
  if (plan_.top_p > 0) {
    if (plan_.top_k > 0) keep(cut);
    cut = top_p_cut(plan_.top_k > 0);
  }
  if (plan_.has_min_p) {
    const float lowest = finite_float(maximum_ + plan_.min_p_drop);
    if (lowest > cut.last) cut = {lowest, n_vocab_};
  }
  return cut;
}

PrefixCut RowSampler::top_k_cut() {
  const size_t k = plan_.top_k;
  gather_largest(k);
  std::vector<float>& order = scratch_.order;
  order.assign(scratch_.values.begin(), scratch_.values.begin() + candidates_);
  std::nth_element(order.begin(), order.begin() + (k - 1), order.end(), std::greater<float>());
  const float last = order[k - 1];
  if (last < -FLT_MAX) return {-FLT_MAX, n_vocab_};  // fewer than k tokens can be drawn at all
  const int64_t above = std::count_if(order.begin(), order.begin() + k, [&](float value) { return value > last; });
  return {last, static_cast<int64_t>(k) - above};
}

PrefixCut RowSampler::top_p_cut(bool after_top_k) {
  uint64_t target;
  if (after_top_k) {
    target = std::max<uint64_t>(1, multiply_high(weigh_candidates(plan_.filter_scale), plan_.top_p));
  } else {
    const uint64_t total = sum_blocks(logits_, n_vocab_, plan_.filter_scale);
    target = std::max<uint64_t>(1, multiply_high(total, plan_.top_p));
    gather_mass(total, target);
  }
  return cut_at_mass(scratch_.values.data(), scratch_.weights.data(), candidates_, target, scratch_.mass_cut);
}

// Makes the tokens of the prefix the candidates.
void RowSampler::keep(PrefixCut cut) {
  gather(cut.last);
  const auto equal = std::count(scratch_.values.begin(), scratch_.values.begin() + candidates_, cut.last);
  if (equal <= cut.ties) return;
  size_t kept = 0;
  for (size_t i = 0; i < candidates_; ++i) {
    const float value = scratch_.values[i];
    if (value == cut.last && cut.ties-- <= 0) continue;
    scratch_.ids[kept] = scratch_.ids[i];
    scratch_.values[kept++] = value;
  }
  candidates_ = kept;
}

// Makes the tokens with a logit of at least `threshold` the candidates.
void RowSampler::gather(float threshold) {
  candidates_ = 0;
  for (size_t block = 0; block < scratch_.block_maxima.size(); ++block) {
    if (scratch_.block_maxima[block] < threshold) continue;
    const int32_t first = static_cast<int32_t>(block) * sampler_block;
    candidates_ += loops_.gather(logits_ + first, std::min(sampler_block, n_vocab_ - first), threshold, first,
                                 scratch_.ids.data() + candidates_, scratch_.values.data() + candidates_);
  }
}

// Candidates that hold the k largest logits. The k-th largest block maximum bounds the k-th largest logit from below;
// where blocks are too few for that, a sample of the row guesses a bound that is then verified.
void RowSampler::gather_largest(size_t k) {
  if (k <= scratch_.block_maxima.size() / 4) return gather(nth_block_maximum(k));
  constexpr size_t stride = 32;
  std::vector<float>& order = scratch_.order;
  order.clear();
  for (size_t i = stride / 2; i < static_cast<size_t>(n_vocab_); i += stride) order.push_back(logits_[i]);
  for (size_t rank = k / stride * 5 / 4 + 16; rank < order.size() / 2; rank *= 2) {
    std::nth_element(order.begin(), order.begin() + rank, order.end(), std::greater<float>());
    gather(order[rank]);
    if (candidates_ >= k) return;
  }
  gather(-std::numeric_limits<float>::infinity());
}

// Candidates, weighed, that hold the prefix of weight `target`. A few of the largest often do; what surely does is
// everything but tokens so light that all of them together could be left out.
void RowSampler::gather_mass(uint64_t row_total, uint64_t target) {
  constexpr size_t few_blocks = 32;
  if (scratch_.block_maxima.size() > 4 * few_blocks) {
    gather(nth_block_maximum(few_blocks));
    if (weigh_candidates(plan_.filter_scale) >= target) return;
  }
  const uint64_t negligible = (row_total - target) / static_cast<uint64_t>(n_vocab_);
  const double exponent = (negligible > 0 ? std::log2(static_cast<double>(negligible)) : -1.0) - weight_bits - 0.01;
  const float threshold = finite_float(maximum_ + exponent / plan_.filter_scale);
  gather(std::nextafter(threshold, -FLT_MAX));
  weigh_candidates(plan_.filter_scale);
}

uint64_t RowSampler::weigh_candidates(float scale) {
  scratch_.weights.resize(std::max(scratch_.weights.size(), candidates_));
  uint64_t* weights = scratch_.weights.data();
  loops_.weights(scratch_.values.data(), static_cast<int32_t>(candidates_), maximum_, scale, weights);
  return std::accumulate(weights, weights + candidates_, uint64_t{0});
}

uint64_t RowSampler::sum_blocks(const float* values, size_t n, float scale) {
  scratch_.block_weights.resize((n + sampler_block - 1) / sampler_block);
  return loops_.block_weights(values, static_cast<int32_t>(n), maximum_, scale, scratch_.block_weights.data());
}

float RowSampler::nth_block_maximum(size_t n) {
  std::vector<float>& order = scratch_.order;
  order = scratch_.block_maxima;
  std::nth_element(order.begin(), order.begin() + (n - 1), order.end(), std::greater<float>());
  return order[n - 1];
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
  const Draw* prepared = nullptr;
  for (size_t i = begin; i < end; ++i) {
    if (prepared == nullptr || !same_source(*prepared, draws[i])) {
      const float* row = logits + static_cast<size_t>(draws[i].row) * n_vocab;
      sampler.prepare(row, n_vocab, draws[i].params, draws[i].want_logprob);
      prepared = &draws[i];
    }
    sampler.draw(draws[i]);
  }
}

void sample_batch(const float* logits, int32_t n_vocab, Draw* draws, size_t n, int thread, int threads,
                  SamplerScratch& scratch) {
  sample_batch(logits, n_vocab, draws, n, thread, threads, scratch, sampler_loops());
}

}  // namespace spct
