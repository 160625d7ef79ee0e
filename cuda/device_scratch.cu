#include "cuda/device_scratch.cuh"

namespace spct {
namespace {

std::unique_ptr<DeviceScratch::State> make_state(int device) {
  const DeviceScope scope(device);
  return std::make_unique<DeviceScratch::State>(device);
}

}  // namespace

int cuda_device_count() {
  int count = 0;
  // No driver, or none that fits, means no device; cudaGetLastError clears the report.
  if (cudaGetDeviceCount(&count) != cudaSuccess) {
    cudaGetLastError();
    return 0;
  }
  return count;
}

DeviceScratch::DeviceScratch(int device) : state_(make_state(device)) {}
DeviceScratch::~DeviceScratch() = default;

}  // namespace spct
