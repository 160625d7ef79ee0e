#pragma once

#include <cstdint>

namespace spct {

// Negative log-likelihood of `targets` [rows] under softmax(logits [rows, vocabulary]), summed over the rows.
// Writes scale * d(sum)/d(logits) to `gradients` [rows, vocabulary], which may be `logits` itself. Returns the unscaled
// sum; it is not finite when a logit is not.
double nll_loss_cpu(const float* logits, const int32_t* targets, int64_t rows, int64_t vocabulary, float scale,
                    float* gradients);

// Binary cross-entropy of one logit against a label in [0, 1]; `gradient` receives d(loss)/d(logit). Throws Error
// LOSS_NOT_FINITE for a logit that is no finite number, INVALID_ARGUMENT for another label.
double bce_loss_cpu(double logit, double label, double* gradient);

// Bradley-Terry: -log sigmoid(chosen - rejected - margin); `gradient` receives d(loss)/d(chosen), whose negative is
// d(loss)/d(rejected). Throws Error LOSS_NOT_FINITE for a score or a margin that is no finite number.
double bradley_terry_loss_cpu(double chosen, double rejected, double margin, double* gradient);

}  // namespace spct
