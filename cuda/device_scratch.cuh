#pragma once

#include "cuda/buffer.cuh"
#include "cuda/device_draw.h"
#include "cuda/device_token.h"
#include "cuda/scoring_cuda.h"
#include "train/grpo.h"

namespace spct {

struct DeviceScratch::State {
  explicit State(int device) : device(device) {}

  int device;
  Stream stream;
  StagingBuffer<DeviceDraw> draws;
  StagingBuffer<DeviceToken> tokens;
  StagingBuffer<int32_t> rows;
  StagingBuffer<float> scores;
  StagingBuffer<PolicyToken> policy_tokens;
  StagingBuffer<DeviceTokenProbability> probabilities;
};

}  // namespace spct
