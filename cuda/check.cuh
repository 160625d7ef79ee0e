#pragma once

#include <cuda_runtime.h>

#include <string>

#include "error.h"

namespace spct {

// Throws when a CUDA call failed. `what` says what was being done.
inline void check_cuda(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // so that the next launch does not report this one
  const char* code = status == cudaErrorMemoryAllocation ? "OUT_OF_MEMORY" : "CUDA_FAILED";
  throw Error(code, std::string("CUDA failed to ") + what + ": " + cudaGetErrorString(status));
}

}  // namespace spct
