// Draws against the probabilities of the chain: Pearson's chi-square, and never a token outside the support.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <vector>

#include "check.h"
#include "sampler_reference.h"
#include "scoring/sampler.h"
#include "seeded_rows.h"

using namespace spct;

namespace {

// Upper tail of the chi-square distribution, by the Wilson-Hilferty transformation to a normal deviate.
double upper_tail(double statistic, double degrees) {
  const double spread = 2.0 / (9.0 * degrees);
  const double deviate = (std::cbrt(statistic / degrees) - (1.0 - spread)) / std::sqrt(spread);
  return 0.5 * std::erfc(deviate / std::sqrt(2.0));
}

double chi_square_p(const std::vector<int>& counts, const std::vector<double>& probabilities, int n) {
  double statistic = 0.0;
  double rare_expected = 0.0;
  double rare_count = 0.0;
  int cells = 0;
  const auto add = [&](double count, double expected) {
    statistic += (count - expected) * (count - expected) / expected;
    ++cells;
  };
  for (size_t i = 0; i < counts.size(); ++i) {
    const double expected = probabilities[i] * n;
    if (expected >= 5.0) {
      add(counts[i], expected);
    } else {
      rare_expected += expected;
      rare_count += counts[i];
    }
  }
  if (rare_expected >= 5.0) add(rare_count, rare_expected);
  return cells < 2 ? 1.0 : upper_tail(statistic, cells - 1);
}

void check_distribution(int32_t n_vocab, int n, const SamplingParams& params, bool one_seed) {
  const std::vector<float> row = seeded_row(RowShape::peaky, n_vocab, 29);
  const std::vector<double> probabilities = chain_probabilities(row, params);
  std::vector<Draw> draws(n);
  for (int i = 0; i < n; ++i) {
    draws[i].params = params;
    draws[i].seed = one_seed ? 77 : i;
    draws[i].step = one_seed ? i : 3;
  }
  SamplerScratch scratch;
  sample_batch(row.data(), n_vocab, draws.data(), draws.size(), 0, 1, scratch);
  std::vector<int> counts(n_vocab);
  for (const Draw& draw : draws) {
    CHECK(draw.token >= 0 && probabilities[draw.token] > 0.0);
    ++counts[draw.token];
  }
  const double p = chi_square_p(counts, probabilities, n);
  std::printf("V %5d  T %.2g top_k %3d top_p %.2f min_p %.2f %-18s %-9s p = %.4f\n", n_vocab, params.temperature,
              params.top_k, params.top_p, params.min_p,
              params.order == ChainOrder::temperature_first ? "temperature first" : "temperature last",
              one_seed ? "one seed" : "one step", p);
  CHECK(p > 0.001);
}

// A sampler that were 2% wrong on one token would be found out.
void test_has_power() {
  const int n = 200000;
  const std::vector<double> probabilities = {0.5, 0.3, 0.2};
  CHECK(chi_square_p({100000, 60000, 40000}, probabilities, n) > 0.99);
  CHECK(chi_square_p({102000, 58800, 39200}, probabilities, n) < 1e-6);
}

}  // namespace

int main() {
  test_has_power();
  for (const SamplingParams& params : {chain(1.0f), chain(0.6f), chain(2.5f)}) {
    check_distribution(20001, 400000, params, true);
    check_distribution(20001, 400000, params, false);
  }
  for (const auto& [n_vocab, n] : {std::pair<int32_t, int>{97, 200000}, {5003, 400000}}) {
    for (const SamplingParams& params :
         {chain(1.0f), chain(0.6f), chain(1.0f, 40), chain(0.8f, 0, 0.95f),
          chain(0.8f, 0, 0.95f, 0.0f, ChainOrder::temperature_last), chain(0.8f, 40, 0.95f),
          chain(0.8f, 40, 0.95f, 0.0f, ChainOrder::temperature_last), chain(1.0f, 0, 1.0f, 0.05f),
          chain(1.5f, 60, 0.98f, 0.01f, ChainOrder::temperature_last)}) {
      check_distribution(n_vocab, n, params, true);
      check_distribution(n_vocab, n, params, false);
    }
  }
  return check_result();
}
