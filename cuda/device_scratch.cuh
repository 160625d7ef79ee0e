#pragma once

#include "cuda/buffer.cuh"
#include "cuda/device_draw.h"
#include "cuda/scoring_cuda.h"

namespace spct {

struct DeviceScratch::State {
  explicit State(int device) : device(device) {}

  int device;
  Stream stream;
  StagingBuffer<DeviceDraw> draws;
  StagingBuffer<DeviceToken> tokens;
  StagingBuffer<int32_t> rows;
  StagingBuffer<float> scores;
};

}  // namespace spct
