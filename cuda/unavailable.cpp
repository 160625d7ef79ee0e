// The symbols of scoring_cuda.h for a build without CUDA.
#include "cuda/scoring_cuda.h"
#include "error.h"

namespace spct {
namespace {

[[noreturn]] void unavailable() {
  throw Error("CUDA_UNAVAILABLE", "This build has no CUDA kernels; build with -DSPCT_CUDA=ON");
}

}  // namespace

struct DeviceScratch::State {};
struct DeviceScoreHead::State {};

int cuda_device_count() { return 0; }

DeviceScratch::DeviceScratch(int) { unavailable(); }
DeviceScratch::~DeviceScratch() = default;

DeviceScoreHead::DeviceScoreHead(const ScoreHead&, int) { unavailable(); }
DeviceScoreHead::~DeviceScoreHead() = default;

void sample_cuda(const float*, int32_t, int32_t, Draw*, size_t, DeviceScratch&) { unavailable(); }

void score_head_cuda(const DeviceScoreHead&, const float*, int32_t, const int32_t*, size_t, float*, DeviceScratch&) {
  unavailable();
}

}  // namespace spct
