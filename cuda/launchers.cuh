#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>

#include "cuda/device_draw.h"
#include "cuda/device_token.h"
#include "scoring/activation.h"
#include "train/grpo.h"

// What puts the kernels on a stream. Launchers allocate nothing, wait for nothing and check the launch; all pointers
// are readable from the device.
namespace spct {

// logits: [rows, n_vocab]; draws, tokens: [n].
void launch_sampler(const float* logits, int32_t n_vocab, const DeviceDraw* draws, DeviceToken* tokens, size_t n,
                    cudaStream_t stream);

// weight: [n_embd]; states: [rows, n_embd]; rows, scores: [n].
void launch_score_head(const float* weight, float bias, Activation activation, int32_t n_embd, const float* states,
                       const int32_t* rows, float* scores, size_t n, cudaStream_t stream);

// logits, gradients: [n, n_vocab]; targets, tokens, probabilities: [n]. Without tokens no gradients are written.
void launch_token_loss(const float* logits, int32_t n_vocab, const int32_t* targets, const PolicyToken* tokens,
                       const GrpoOptions& options, DeviceTokenProbability* probabilities, float* gradients, size_t n,
                       cudaStream_t stream);

}  // namespace spct
