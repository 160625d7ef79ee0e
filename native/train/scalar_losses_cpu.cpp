#include <algorithm>
#include <cmath>

#include "error.h"
#include "train/losses.h"

namespace spct {
namespace {

double softplus(double value) { return std::max(value, 0.0) + std::log1p(std::exp(-std::fabs(value))); }
double sigmoid(double value) { return 1.0 / (1.0 + std::exp(-value)); }

void check_finite(double value) {
  if (!std::isfinite(value)) throw Error("LOSS_NOT_FINITE", "Expected finite scores for the loss");
}

}  // namespace

double bce_loss_cpu(double logit, double label, double* gradient) {
  check_finite(logit);
  if (!(label >= 0 && label <= 1)) throw Error("INVALID_ARGUMENT", "Expected labels from 0 to 1");
  *gradient = sigmoid(logit) - label;
  return softplus(logit) - label * logit;
}

double bradley_terry_loss_cpu(double chosen, double rejected, double margin, double* gradient) {
  const double lead = chosen - rejected - margin;
  check_finite(lead);
  *gradient = -sigmoid(-lead);
  return softplus(-lead);
}

}  // namespace spct
