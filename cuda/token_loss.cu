#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "cuda/check.cuh"
#include "cuda/device_scratch.cuh"
#include "cuda/launchers.cuh"
#include "cuda/losses_cuda.h"
#include "cuda/token_loss_kernel.cuh"

namespace spct {

void launch_token_loss(const float* logits, int32_t n_vocab, const int32_t* targets, const PolicyToken* tokens,
                       const GrpoOptions& options, DeviceTokenProbability* probabilities, float* gradients, size_t n,
                       cudaStream_t stream) {
  constexpr int threads = 512;
  if (n == 0) return;
  token_loss_rows<threads><<<static_cast<unsigned>(n), threads, 0, stream>>>(logits, n_vocab, targets, tokens, options,
                                                                             probabilities, gradients);
  check_cuda(cudaGetLastError(), "launch the token losses");
}

namespace {

// Returns what the kernel found, in page-locked memory of the scratch. `tokens` and `gradients` are null together.
const DeviceTokenProbability* run(const float* logits, const int32_t* targets, const PolicyToken* tokens, int64_t rows,
                                  int64_t vocabulary, const GrpoOptions& options, float* gradients,
                                  DeviceScratch& scratch) {
  DeviceScratch::State& state = scratch.state();
  const DeviceScope scope(state.device);
  const size_t n = static_cast<size_t>(rows);
  for (size_t i = 0; i < n; ++i) {
    if (targets[i] >= 0 && targets[i] < vocabulary) continue;
    throw Error("INVALID_ARGUMENT", "Expected a target below " + std::to_string(vocabulary) + " but received " +
                                        std::to_string(targets[i]));
  }
  int32_t* sent_targets = state.rows.reserve(n);
  std::copy_n(targets, n, sent_targets);
  PolicyToken* sent_tokens = nullptr;
  if (tokens != nullptr) {
    sent_tokens = state.policy_tokens.reserve(n);
    std::copy_n(tokens, n, sent_tokens);
  }
  DeviceTokenProbability* received = state.probabilities.reserve(n);
  launch_token_loss(logits, static_cast<int32_t>(vocabulary), sent_targets, sent_tokens, options, received, gradients,
                    n, state.stream.get());
  state.stream.wait();
  return received;
}

void check_finite(double value) {
  if (!std::isfinite(value)) throw Error("LOSS_NOT_FINITE", "The model's logits are not finite numbers");
}

}  // namespace

double nll_loss_cuda(const float* device_logits, const int32_t* targets, int64_t rows, int64_t vocabulary, float scale,
                     float* device_gradients, DeviceScratch& scratch) {
  // The gradient of an action that is worth 1, on policy.
  PolicyToken token;
  token.advantage = 1;
  token.scale = scale;
  token.on_policy = true;
  GrpoOptions options;
  options.beta = 0;
  const std::vector<PolicyToken> tokens(static_cast<size_t>(rows), token);
  const DeviceTokenProbability* found =
      run(device_logits, targets, device_gradients != nullptr ? tokens.data() : nullptr, rows, vocabulary, options,
          device_gradients, scratch);
  double loss = 0;
  for (int64_t row = 0; row < rows; ++row) loss -= found[row].log_probability;
  return loss;
}

void policy_loss_cuda(const float* device_logits, const int32_t* targets, const PolicyToken* tokens, int64_t rows,
                      int64_t vocabulary, const GrpoOptions& options, float* device_gradients,
                      double* log_probabilities, double* entropies, DeviceScratch& scratch) {
  const DeviceTokenProbability* found =
      run(device_logits, targets, tokens, rows, vocabulary, options, device_gradients, scratch);
  for (int64_t row = 0; row < rows; ++row) {
    check_finite(found[row].log_probability);
    log_probabilities[row] = found[row].log_probability;
    entropies[row] = found[row].entropy;
  }
}

void token_log_probabilities_cuda(const float* device_logits, const int32_t* targets, int64_t rows, int64_t vocabulary,
                                  double temperature, double* log_probabilities, DeviceScratch& scratch) {
  GrpoOptions options;
  options.temperature = temperature;
  const DeviceTokenProbability* found =
      run(device_logits, targets, nullptr, rows, vocabulary, options, nullptr, scratch);
  for (int64_t row = 0; row < rows; ++row) {
    check_finite(found[row].log_probability);
    log_probabilities[row] = found[row].log_probability;
  }
}

}  // namespace spct
