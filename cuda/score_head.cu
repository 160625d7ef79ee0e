#include <algorithm>
#include <string>

#include "cuda/check.cuh"
#include "cuda/device_scratch.cuh"
#include "cuda/launchers.cuh"
#include "cuda/score_head_kernel.cuh"

namespace spct {

struct DeviceScoreHead::State {
  explicit State(const ScoreHead& head) : weight(head.weight.size()), bias(head.bias), activation(head.activation) {
    weight.upload(head.weight.data());
  }

  DeviceBuffer<float> weight;
  float bias;
  Activation activation;
};

namespace {

std::unique_ptr<DeviceScoreHead::State> make_state(const ScoreHead& head, int device) {
  const DeviceScope scope(device);
  return std::make_unique<DeviceScoreHead::State>(head);
}

}  // namespace

DeviceScoreHead::DeviceScoreHead(const ScoreHead& head, int device) : state_(make_state(head, device)) {}
DeviceScoreHead::~DeviceScoreHead() = default;

void launch_score_head(const float* weight, float bias, Activation activation, int32_t n_embd, const float* states,
                       const int32_t* rows, float* scores, size_t n, cudaStream_t stream) {
  constexpr int threads = 256;
  if (n == 0) return;
  score_rows<threads>
      <<<static_cast<unsigned>(n), threads, 0, stream>>>(weight, bias, activation, n_embd, states, rows, scores);
  check_cuda(cudaGetLastError(), "launch the score head");
}

void score_head_cuda(const DeviceScoreHead& head, const float* device_states, int32_t n_rows, const int32_t* rows,
                     size_t n, float* scores, DeviceScratch& scratch) {
  DeviceScratch::State& state = scratch.state();
  const DeviceScope scope(state.device);
  for (size_t i = 0; i < n; ++i) {
    if (rows[i] < 0 || rows[i] >= n_rows) {
      throw Error("INVALID_ARGUMENT", "Expected a row below " + std::to_string(n_rows) + " for a score but received " +
                                          std::to_string(rows[i]));
    }
  }
  int32_t* sent = state.rows.reserve(n);
  float* received = state.scores.reserve(n);
  std::copy(rows, rows + n, sent);
  const DeviceScoreHead::State& device_head = head.state();
  launch_score_head(device_head.weight.data(), device_head.bias, device_head.activation,
                    static_cast<int32_t>(device_head.weight.size()), device_states, sent, received, n,
                    state.stream.get());
  state.stream.wait();
  std::copy(received, received + n, scores);
}

}  // namespace spct
