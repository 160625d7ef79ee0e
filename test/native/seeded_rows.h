#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "scoring/sampler.h"

namespace spct {

// Rows of logits as models give them and as they should never come, from a fixed seed.
enum class RowShape { flat, peaky, wide, ties, equal, masked, two_clusters, striped, denormal };

constexpr RowShape all_row_shapes[] = {RowShape::flat,    RowShape::peaky,        RowShape::wide,
                                       RowShape::ties,    RowShape::equal,        RowShape::masked,
                                       RowShape::striped, RowShape::two_clusters, RowShape::denormal};

inline std::vector<float> seeded_row(RowShape shape, int32_t n_vocab, uint32_t seed) {
  std::mt19937 engine(seed);
  const auto normal = [&] {
    const double u = (engine() + 1.0) / 4294967297.0;
    const double v = engine() / 4294967296.0;
    return std::sqrt(-2.0 * std::log(u)) * std::cos(6.283185307179586 * v);
  };
  std::vector<float> row(n_vocab);
  for (int32_t id = 0; id < n_vocab; ++id) {
    float& logit = row[id];
    switch (shape) {
      case RowShape::flat: logit = static_cast<float>(normal()); break;
      case RowShape::peaky: logit = static_cast<float>(2.5 * normal() + (engine() % 97 == 0 ? 6.0 : 0.0)); break;
      case RowShape::wide: logit = static_cast<float>(100.0 * normal()); break;
      case RowShape::ties:
        logit = static_cast<float>(static_cast<int>(engine() % 7)) * 0.5f - 3.0f;
        if (logit == 0.0f && id % 2 == 0) logit = -0.0f;
        break;
      case RowShape::equal: logit = -3.25f; break;
      case RowShape::masked:
        logit = engine() % 3 == 0 ? static_cast<float>(3.0 * normal()) : -std::numeric_limits<float>::infinity();
        break;
      case RowShape::two_clusters:
        logit = (engine() % 2 == 0 ? 4.0f : -40.0f) + 1e-4f * static_cast<float>(normal());
        break;
      case RowShape::striped: logit = static_cast<float>(normal()) + (id % 32 == 16 ? 9.0f : 0.0f); break;
      case RowShape::denormal:
        logit = static_cast<float>(engine() % 50) * std::numeric_limits<float>::denorm_min();
        break;
    }
  }
  if (shape == RowShape::masked) row[n_vocab / 2] = 1.0f;
  return row;
}

inline SamplingParams chain(float temperature, int32_t top_k = 0, float top_p = 1.0f, float min_p = 0.0f,
                            ChainOrder order = ChainOrder::temperature_first) {
  SamplingParams params;
  params.temperature = temperature;
  params.top_k = top_k;
  params.top_p = top_p;
  params.min_p = min_p;
  params.order = order;
  return params;
}

inline std::vector<SamplingParams> all_chains() {
  std::vector<SamplingParams> chains = {chain(0.0f),
                                        chain(1.0f),
                                        chain(0.3f),
                                        chain(2.5f),
                                        chain(1e-6f),
                                        chain(1e30f),
                                        chain(1e-40f),
                                        chain(std::numeric_limits<float>::infinity()),
                                        chain(1.0f, 1),
                                        chain(0.9f, 5),
                                        chain(1.0f, 40),
                                        chain(1.0f, 1000),
                                        chain(1.0f, 1 << 30),
                                        chain(1.0f, 0, 0.0f),
                                        chain(1.0f, 0, 0.5f),
                                        chain(1.0f, 0, 0.999f),
                                        chain(1.0f, 0, 1.0f, 1.0f)};
  for (const ChainOrder order : {ChainOrder::temperature_first, ChainOrder::temperature_last}) {
    chains.push_back(chain(0.8f, 40, 0.95f, 0.0f, order));
    chains.push_back(chain(0.7f, 0, 0.9f, 0.0f, order));
    chains.push_back(chain(1.7f, 0, 0.9f, 0.02f, order));
    chains.push_back(chain(0.6f, 0, 1.0f, 0.05f, order));
    chains.push_back(chain(1.3f, 300, 0.97f, 0.001f, order));
    chains.push_back(chain(1.0f, 40, 0.99999994f, 0.0f, order));
    chains.push_back(chain(1.0f, 700, 0.5f, 1.0f, order));
  }
  return chains;
}

}  // namespace spct
