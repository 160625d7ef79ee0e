#pragma once

#include <cstdint>

#include "cuda/scoring_cuda.h"
#include "train/grpo.h"

// The trainer's token losses on a GPU, beside nll_loss_cpu, policy_loss_cpu and token_log_probabilities_cpu, with which
// they agree to the rounding of floats. Logits and gradients [rows, vocabulary] lie in the memory of the scratch's
// device and may be the same; the logits must be complete. targets, tokens and what is returned are small and lie on
// the host. One launch each; returns when it is done. Throws INVALID_ARGUMENT for a target outside of the vocabulary;
// built without CUDA, CUDA_UNAVAILABLE.
namespace spct {

// Writes the gradient of scale * NLL, unless it is null; returns the unscaled sum, which is not finite when a logit is
// not.
double nll_loss_cuda(const float* device_logits, const int32_t* targets, int64_t rows, int64_t vocabulary, float scale,
                     float* device_gradients, DeviceScratch& scratch);

// Writes the gradient of the sum of scale * grpo_token_loss, the log-probability of each target and the entropy of each
// row. Throws Error LOSS_NOT_FINITE when a logit is not finite; whether the loss is, the log-probabilities tell.
void policy_loss_cuda(const float* device_logits, const int32_t* targets, const PolicyToken* tokens, int64_t rows,
                      int64_t vocabulary, const GrpoOptions& options, float* device_gradients,
                      double* log_probabilities, double* entropies, DeviceScratch& scratch);

// Of each target under softmax(logits / temperature). Throws Error LOSS_NOT_FINITE.
void token_log_probabilities_cuda(const float* device_logits, const int32_t* targets, int64_t rows, int64_t vocabulary,
                                  double temperature, double* log_probabilities, DeviceScratch& scratch);

}  // namespace spct
