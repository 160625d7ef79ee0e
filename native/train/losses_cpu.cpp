#include <algorithm>
#include <cmath>

#include "train/losses.h"

namespace spct {

double nll_loss_cpu(const float* logits, const int32_t* targets, int64_t rows, int64_t vocabulary, float scale,
                    float* gradients) {
  double loss = 0;
  for (int64_t row = 0; row < rows; ++row) {
    const float* z = logits + row * vocabulary;
    float* g = gradients + row * vocabulary;
    const int32_t target = targets[row];
    float highest = z[0];
    for (int64_t i = 1; i < vocabulary; ++i) highest = std::max(highest, z[i]);
    const float target_logit = z[target];
    float sum = 0;
    for (int64_t i = 0; i < vocabulary; ++i) {
      g[i] = std::exp(z[i] - highest);
      sum += g[i];
    }
    loss += std::log(static_cast<double>(sum)) - (static_cast<double>(target_logit) - highest);
    const float factor = scale / sum;
    for (int64_t i = 0; i < vocabulary; ++i) g[i] *= factor;
    g[target] -= scale;
  }
  return loss;
}

}  // namespace spct
