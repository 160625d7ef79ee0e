#include <string>

#include "cuda/check.cuh"
#include "cuda/device_scratch.cuh"
#include "cuda/launchers.cuh"
#include "cuda/sampler_kernel.cuh"

namespace spct {

void launch_sampler(const float* logits, int32_t n_vocab, const DeviceDraw* draws, DeviceToken* tokens, size_t n,
                    cudaStream_t stream) {
  constexpr int threads = 1024;
  if (n == 0) return;
  sample_rows<threads><<<static_cast<unsigned>(n), threads, 0, stream>>>(logits, n_vocab, draws, tokens);
  check_cuda(cudaGetLastError(), "launch the sampler");
}

void sample_cuda(const float* device_logits, int32_t n_vocab, int32_t n_rows, Draw* draws, size_t n,
                 DeviceScratch& scratch) {
  DeviceScratch::State& state = scratch.state();
  const DeviceScope scope(state.device);
  DeviceDraw* sent = state.draws.reserve(n);
  DeviceToken* received = state.tokens.reserve(n);
  for (size_t i = 0; i < n; ++i) {
    if (draws[i].row < 0 || draws[i].row >= n_rows) {
      throw Error("INVALID_ARGUMENT", "Expected a row below " + std::to_string(n_rows) + " for a draw but received " +
                                          std::to_string(draws[i].row));
    }
    sent[i] = to_device(draws[i], n_vocab);
  }
  launch_sampler(device_logits, n_vocab, sent, received, n, state.stream.get());
  state.stream.wait();
  for (size_t i = 0; i < n; ++i) from_device(sent[i], received[i], draws[i]);
}

}  // namespace spct
