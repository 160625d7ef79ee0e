// The sampler against hand values and against its definition written plainly (sort everything).
#include "scoring/sampler.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "check.h"
#include "sampler_reference.h"
#include "scoring/rejection_draw.h"
#include "scoring/sampler_loops.h"
#include "seeded_rows.h"

using namespace spct;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

Draw draw_once(const std::vector<float>& logits, const SamplingParams& params, uint64_t seed = 1, uint32_t step = 0) {
  Draw draw;
  draw.params = params;
  draw.seed = seed;
  draw.step = step;
  draw.want_logprob = true;
  SamplerScratch scratch;
  sample(logits.data(), static_cast<int32_t>(logits.size()), draw, scratch);
  return draw;
}

std::set<int32_t> support(const std::vector<float>& logits, const SamplingParams& params) {
  std::set<int32_t> tokens;
  for (uint64_t seed = 0; seed < 3000; ++seed) tokens.insert(draw_once(logits, params, seed).token);
  return tokens;
}

// Probabilities .1 .4 .2 .3: the filters keep what can be counted by hand.
void supports_by_hand() {
  const std::vector<float> logits = {std::log(0.1f), std::log(0.4f), std::log(0.2f), std::log(0.3f)};
  using Tokens = std::set<int32_t>;
  CHECK(support(logits, chain(1.0f)) == Tokens{0, 1, 2, 3});
  CHECK(support(logits, chain(0.0f)) == Tokens{1});
  CHECK(support(logits, chain(1.0f, 1)) == Tokens{1});
  CHECK(support(logits, chain(1.0f, 2)) == Tokens{1, 3});
  CHECK(support(logits, chain(1.0f, 4)) == Tokens{0, 1, 2, 3});
  CHECK(support(logits, chain(1.0f, 0, 0.0f)) == Tokens{1});
  CHECK(support(logits, chain(1.0f, 0, 0.39f)) == Tokens{1});
  CHECK(support(logits, chain(1.0f, 0, 0.41f)) == Tokens{1, 3});
  CHECK(support(logits, chain(1.0f, 0, 0.71f)) == Tokens{1, 2, 3});
  CHECK(support(logits, chain(1.0f, 0, 1.0f, 0.7f)) == Tokens{1, 3});
  CHECK(support(logits, chain(1.0f, 0, 1.0f, 0.3f)) == Tokens{1, 2, 3});
  // top-p looks at what top-k left: 4/9, 3/9, 2/9.
  CHECK(support(logits, chain(1.0f, 3, 0.77f)) == Tokens{1, 3});
  // Temperature .5 squares the probabilities: 16/30, 9/30, 4/30, 1/30.
  CHECK(support(logits, chain(0.5f, 0, 0.53f)) == Tokens{1});
  CHECK(support(logits, chain(0.5f, 0, 0.53f, 0.0f, ChainOrder::temperature_last)) == Tokens{1, 3});
  CHECK(support(logits, chain(0.5f, 0, 1.0f, 0.5f)) == Tokens{1, 3});
  CHECK(support(logits, chain(0.5f, 0, 1.0f, 0.6f)) == Tokens{1});
  CHECK(support(logits, chain(0.5f, 0, 1.0f, 0.6f, ChainOrder::temperature_last)) == Tokens{1, 3});
}

void ties_go_to_the_lowest_ids() {
  const std::vector<float> equal(8, 2.0f);
  using Tokens = std::set<int32_t>;
  CHECK(support(equal, chain(0.0f)) == Tokens{0});
  CHECK(support(equal, chain(1.0f, 3)) == Tokens{0, 1, 2});
  CHECK(support(equal, chain(1.0f, 0, 0.5f)) == Tokens{0, 1, 2, 3});
  CHECK(support(equal, chain(1.0f, 0, 1.0f, 1.0f)).size() == 8);
  const std::vector<float> mixed = {0.0f, 5.0f, 3.0f, 3.0f, 5.0f, 3.0f, -0.0f};
  CHECK(support(mixed, chain(4.0f, 3)) == Tokens{1, 2, 4});
  CHECK(support(mixed, chain(4.0f, 6)) == Tokens{0, 1, 2, 3, 4, 5});
  CHECK(support(mixed, chain(0.0f)) == Tokens{1});
}

void log_probabilities_by_hand() {
  const std::vector<float> logits = {std::log(0.1f), std::log(0.4f), std::log(0.2f), std::log(0.3f)};
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const Draw plain = draw_once(logits, chain(1.0f), seed);
    CHECK_NEAR(plain.logprob, logits[plain.token], 1e-6);
    const Draw filtered = draw_once(logits, chain(1.0f, 2, 0.9f, 0.1f), seed);
    CHECK_NEAR(filtered.logprob, logits[filtered.token], 1e-6);
    const Draw cold = draw_once(logits, chain(0.5f, 0, 0.9f, 0.0f, ChainOrder::temperature_last), seed);
    CHECK_NEAR(cold.logprob, 2.0 * logits[cold.token] - std::log(0.3), 1e-6);
  }
  CHECK_NEAR(draw_once(logits, chain(0.0f)).logprob, std::log(0.4), 1e-6);
  CHECK_NEAR(draw_once({7.0f}, chain(0.8f)).logprob, 0.0, 0.0);
}

void unusable_rows_give_no_token() {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const SamplingParams& params : all_chains()) {
    CHECK(draw_once({}, params).token == -1);
    CHECK(draw_once({nan}, params).token == -1);
    CHECK(draw_once({-infinity, -infinity}, params).token == -1);
    CHECK(draw_once({1.0f, infinity, 2.0f}, params).token == -1);
    for (const int position : {0, 1, 255, 256, 700, 999}) {
      std::vector<float> row = seeded_row(RowShape::peaky, 1000, 3);
      row[position] = nan;
      const Draw draw = draw_once(row, params);
      CHECK(draw.token == -1 && draw.logprob == 0.0f);
      row[position] = infinity;
      CHECK(draw_once(row, params).token == -1);
      row[position] = -infinity;
      CHECK(draw_once(row, params).token >= 0);
    }
  }
}

void masked_tokens_are_never_drawn() {
  const std::vector<float> row = seeded_row(RowShape::masked, 1003, 5);
  for (const SamplingParams& params : all_chains()) {
    for (uint64_t seed = 0; seed < 300; ++seed) CHECK(row[draw_once(row, params, seed).token] > -infinity);
  }
  std::vector<float> one(600, -infinity);
  one[311] = -5.0f;
  for (const SamplingParams& params : all_chains()) CHECK(draw_once(one, params).token == 311);
}

void extreme_logits_stay_exact() {
  constexpr float largest = std::numeric_limits<float>::max();
  for (const SamplingParams& params : all_chains()) {
    CHECK(draw_once({-largest, largest, -largest}, params).token == 1 || params.temperature > 1e20f);
    CHECK(draw_once({-largest, -largest / 2}, params).token == 1 || params.temperature > 1e20f);
    CHECK(draw_once({1e-40f, 2e-40f, 0.0f}, params).token >= 0);
  }
}

// token_weight is 2^40 e^((logit - maximum) / T) to within the rounding of a float.
void weights_follow_exp() {
  CHECK(token_weight(3.0f, 3.0f, 1.0f) == uint64_t{1} << 40);
  CHECK(token_weight(-infinity, 3.0f, 1.0f) == 0);
  CHECK(token_weight(2.0f, 3.0f, 1.0f) == uint64_t{1} << 39);
  const float scale = plan_sampling(chain(1.0f), 10).draw_scale;
  for (float x = 0.0f; x > -30.0f; x -= 0.0137f) {
    const double expected = std::ldexp(std::exp(static_cast<double>(x)), weight_bits);
    CHECK_NEAR(token_weight(x, 0.0f, scale), expected, 0.51 + expected * 4e-7 * (1.0 - x / 8));
  }
}

void equals_the_reference() {
  std::vector<SamplerScratch> scratch(4);
  for (const int32_t n_vocab : {1, 2, 15, 16, 97, 255, 256, 257, 1000, 5003, 40000}) {
    std::vector<float> logits;
    std::vector<Draw> draws;
    int32_t rows = 0;
    for (const RowShape shape : all_row_shapes) {
      const std::vector<float> row = seeded_row(shape, n_vocab, 17 + n_vocab);
      logits.insert(logits.end(), row.begin(), row.end());
      for (const SamplingParams& params : all_chains()) {
        for (uint32_t repeat = 0; repeat < (n_vocab < 10000 ? 3 : 1); ++repeat) {
          Draw draw;
          draw.row = rows;
          draw.params = params;
          draw.seed = draws.size() % 5 + (repeat == 2 ? 0x123456789abcdefu : 0);
          draw.step = static_cast<uint32_t>(draws.size());
          draw.want_logprob = repeat != 1;
          if (repeat == 2 && draws.size() % 2 == 0) draw.forced = static_cast<int32_t>(draws.size()) % n_vocab;
          draws.push_back(draw);
        }
      }
      ++rows;
    }
    std::vector<Draw> expected;
    for (const Draw& draw : draws) {
      expected.push_back(reference_draw(logits.data() + static_cast<size_t>(draw.row) * n_vocab, n_vocab, draw));
    }
    for (const SamplerLoops* loops : available_sampler_loops()) {
      for (const int threads : {1, 3}) {
        std::vector<Draw> result = draws;
        for (int thread = 0; thread < threads; ++thread) {
          sample_batch(logits.data(), n_vocab, result.data(), result.size(), thread, threads, scratch[thread], *loops);
        }
        for (size_t i = 0; i < result.size(); ++i) {
          CHECK(result[i].token == expected[i].token);
          CHECK(result[i].logprob == expected[i].logprob);
          CHECK(result[i].token >= 0);
        }
      }
    }
  }
}

// Neighbours that differ in one parameter only must not share a prepared row.
void neighbours_share_nothing_they_should_not() {
  const int32_t n_vocab = 500;
  std::vector<float> logits = seeded_row(RowShape::flat, n_vocab, 1);
  const std::vector<float> second = seeded_row(RowShape::flat, n_vocab, 2);
  logits.insert(logits.end(), second.begin(), second.end());
  Draw base;
  base.params = chain(0.7f, 200, 0.8f, 0.01f);
  std::vector<Draw> variants(8, base);
  variants[1].params.temperature = 2.0f;
  variants[2].params.top_k = 3;
  variants[3].params.top_p = 0.1f;
  variants[4].params.min_p = 0.9f;
  variants[5].params.order = ChainOrder::temperature_last;
  variants[6].row = 1;
  variants[7].want_logprob = true;
  for (const Draw& variant : variants) {
    for (uint32_t step = 0; step < 100; ++step) {
      std::vector<Draw> draws = {base, variant, base};
      for (Draw& draw : draws) draw.step = step;
      SamplerScratch scratch;
      sample_batch(logits.data(), n_vocab, draws.data(), draws.size(), 0, 1, scratch);
      for (const Draw& draw : draws) {
        const Draw expected = reference_draw(logits.data() + draw.row * n_vocab, n_vocab, draw);
        CHECK(draw.token == expected.token && draw.logprob == expected.logprob);
      }
    }
  }
}

uint64_t hash_of_tokens(int32_t n_vocab, uint32_t steps) {
  std::vector<float> row(n_vocab);
  for (int32_t id = 0; id < n_vocab; ++id) {
    row[id] = static_cast<float>(static_cast<int32_t>(id * 2654435761u >> 12)) / 65536.0f - 5.0f;
  }
  SamplerScratch scratch;
  uint64_t hash = 14695981039346656037u;
  for (const SamplingParams& params : all_chains()) {
    for (uint32_t step = 0; step < steps; ++step) {
      Draw draw;
      draw.params = params;
      draw.seed = 42;
      draw.step = step;
      sample(row.data(), n_vocab, draw, scratch);
      hash = (hash ^ static_cast<uint64_t>(draw.token)) * 1099511628211u;
    }
  }
  return hash;
}

// The tokens of many draws as one number, recorded once: the same on every machine, compiler and instruction set.
void tokens_are_the_same_everywhere() {
  CHECK(hash_of_tokens(2311, 320) == 0x1dcfb1b03a568d28u);
  CHECK(hash_of_tokens(20011, 100) == 0x3de8fbf5c192abf8u);
}

void few_points_make_a_draw() {
  const int32_t n_vocab = 20011;
  const float scale = plan_sampling(chain(1.0f), n_vocab).draw_scale;
  for (const RowShape shape : all_row_shapes) {
    const std::vector<float> row = seeded_row(shape, n_vocab, 23);
    const float maximum = *std::max_element(row.begin(), row.end());
    std::vector<uint64_t> tops;
    for (int32_t begin = 0; begin < n_vocab; begin += sampler_block) {
      const auto end = row.begin() + std::min(n_vocab, begin + sampler_block);
      const uint64_t height = token_weight(*std::max_element(row.begin() + begin, end), maximum, scale);
      tops.push_back(height + (tops.empty() ? 0 : tops.back()));
    }
    constexpr int draws = 2000;
    int points = 0;
    for (uint64_t seed = 0; seed < draws; ++seed) {
      uint32_t point = 0;
      while (try_point(seed, 0, point, tops.data(), row.data(), n_vocab, maximum, scale) < 0) ++point;
      points += static_cast<int>(point) + 1;
    }
    CHECK(points < 1.1 * sampler_block * draws);
  }
}

// What no boxes are made for is weighed: too few tokens, and more than boxes are kept for.
void sizes_around_the_boxes() {
  SamplerScratch scratch;
  for (const int32_t limit : {least_rejection_vocabulary, most_rejection_boxes * sampler_block}) {
    for (const int32_t n_vocab : {limit - 1, limit, limit + 1}) {
      const std::vector<float> row = seeded_row(RowShape::peaky, n_vocab, 13);
      Draw draw;
      draw.seed = 5;
      sample(row.data(), n_vocab, draw, scratch);
      CHECK(draw.token == reference_draw(row.data(), n_vocab, draw).token);
    }
  }
}

// Every loop of every instruction set this machine has gives the bits of the scalar one, at any length and offset.
void variants_agree_bit_for_bit() {
  const SamplerLoops& scalar = *available_sampler_loops().front();
  for (const SamplerLoops* loops : available_sampler_loops()) {
    std::printf("instruction set: %s\n", loops->name);
    for (const RowShape shape : all_row_shapes) {
      const std::vector<float> row = seeded_row(shape, 2100, 11);
      for (const int32_t n : {1, 3, 7, 8, 15, 16, 17, 31, 33, 255, 256, 257, 300, 512, 1023, 2048}) {
        for (const int offset : {0, 1, 5}) {
          const float* logits = row.data() + offset;
          std::vector<float> maxima(16), maxima_expected(16);
          const float maximum = scalar.block_maxima(logits, n, maxima_expected.data());
          CHECK(loops->block_maxima(logits, n, maxima.data()) == maximum);
          CHECK(maxima == maxima_expected);
          if (!std::isfinite(maximum)) continue;
          for (const float scale : {1.4426950f, 0.01f, 37.0f, std::numeric_limits<float>::max()}) {
            std::vector<uint64_t> sums(16), sums_expected(16), weights(n), weights_expected(n);
            const uint64_t total = scalar.block_weights(logits, n, maximum, scale, sums_expected.data());
            CHECK(loops->block_weights(logits, n, maximum, scale, sums.data()) == total);
            CHECK(sums == sums_expected);
            scalar.weights(logits, n, maximum, scale, weights_expected.data());
            loops->weights(logits, n, maximum, scale, weights.data());
            CHECK(weights == weights_expected);
          }
          for (const float threshold : {maximum, maximum - 1.0f, maximum - 4.0f, -infinity}) {
            std::vector<int32_t> ids(n + 16), ids_expected(n + 16);
            std::vector<float> values(n + 16);
            const int32_t count = scalar.gather(logits, n, threshold, 40, ids_expected.data(), values.data());
            CHECK(loops->gather(logits, n, threshold, 40, ids.data(), values.data()) == count);
            ids.resize(count);
            ids_expected.resize(count);
            CHECK(ids == ids_expected);
            for (int32_t i = 0; i < count; ++i) CHECK(values[i] == logits[ids[i] - 40]);
          }
        }
      }
    }
    for (int position = 0; position < 300; ++position) {
      std::vector<float> row(300, 1.0f), maxima(2);
      row[position] = std::numeric_limits<float>::quiet_NaN();
      CHECK(std::isnan(loops->block_maxima(row.data(), 300, maxima.data())));
    }
  }
}

// Whatever the filters would leave, a forced token has its share of the whole row.
void forced_tokens_by_hand() {
  const std::vector<float> logits = {std::log(0.1f), std::log(0.4f), std::log(0.2f), std::log(0.3f), -infinity};
  const double at_half[] = {1.0 / 30, 16.0 / 30, 4.0 / 30, 9.0 / 30};
  const double at_one[] = {0.1, 0.4, 0.2, 0.3};
  SamplerScratch scratch;
  for (int32_t token = 0; token < 4; ++token) {
    const auto logprob = [&](const SamplingParams& params) {
      Draw draw;
      draw.params = params;
      draw.want_logprob = true;
      draw.forced = token;
      sample(logits.data(), 5, draw, scratch);
      CHECK(draw.token == token);
      return draw.logprob;
    };
    CHECK_NEAR(logprob(chain(1.0f)), std::log(at_one[token]), 1e-6);
    CHECK_NEAR(logprob(chain(0.0f)), std::log(at_one[token]), 1e-6);
    CHECK_NEAR(logprob(chain(1.0f, 1)), std::log(at_one[token]), 1e-6);
    CHECK_NEAR(logprob(chain(0.5f, 0, 0.3f)), std::log(at_half[token]), 1e-6);
  }
  Draw impossible;
  impossible.want_logprob = true;
  impossible.forced = 4;
  sample(logits.data(), 5, impossible, scratch);
  CHECK(impossible.token == 4);
  CHECK(impossible.logprob == -infinity);
}

}  // namespace

int main() {
  supports_by_hand();
  forced_tokens_by_hand();
  ties_go_to_the_lowest_ids();
  log_probabilities_by_hand();
  unusable_rows_give_no_token();
  masked_tokens_are_never_drawn();
  extreme_logits_stay_exact();
  weights_follow_exp();
  variants_agree_bit_for_bit();
  tokens_are_the_same_everywhere();
  few_points_make_a_draw();
  sizes_around_the_boxes();
  neighbours_share_nothing_they_should_not();
  equals_the_reference();
  return check_result();
}
