#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "scoring/sampler.h"
#include "scoring/score_head.h"

// The sampler and the score head on a GPU, beside sample_batch and score_head_cpu. No CUDA header is needed to call
// them. Built without CUDA, cuda_device_count is 0 and everything else throws CUDA_UNAVAILABLE. CUDA failures throw
// CUDA_FAILED or OUT_OF_MEMORY.
namespace spct {

// Devices this build and this machine can use.
int cuda_device_count();

// The stream and staging memory of one caller on one device. For one thread at a time.
class DeviceScratch {
 public:
  explicit DeviceScratch(int device);
  ~DeviceScratch();
  DeviceScratch(const DeviceScratch&) = delete;
  DeviceScratch& operator=(const DeviceScratch&) = delete;

  struct State;
  State& state() { return *state_; }

 private:
  std::unique_ptr<State> state_;
};

// Sets token and logprob of draws [n] from logits [n_rows, n_vocab] in the memory of the scratch's device; the same
// tokens and log-probabilities as sample_batch. One launch; returns when it is done. The logits must be complete:
// whoever made them has synchronized. Throws INVALID_ARGUMENT for a draw outside the rows.
void sample_cuda(const float* device_logits, int32_t n_vocab, int32_t n_rows, Draw* draws, size_t n,
                 DeviceScratch& scratch);

// A score head in the memory of a device.
class DeviceScoreHead {
 public:
  DeviceScoreHead(const ScoreHead& head, int device);
  ~DeviceScoreHead();
  DeviceScoreHead(const DeviceScoreHead&) = delete;
  DeviceScoreHead& operator=(const DeviceScoreHead&) = delete;

  struct State;
  const State& state() const { return *state_; }

 private:
  std::unique_ptr<State> state_;
};

// Sets scores [n] from the rows `rows` [n] of states [n_rows, n_embd], which lie on the device of head and scratch.
// Agrees with score_head_cpu to the rounding of sums in another order. The states must be complete. Throws
// INVALID_ARGUMENT for a row outside the states.
void score_head_cuda(const DeviceScoreHead& head, const float* device_states, int32_t n_rows, const int32_t* rows,
                     size_t n, float* scores, DeviceScratch& scratch);

}  // namespace spct
