// The symbols of scoring_cuda.h and losses_cuda.h for a build without CUDA.
#include "cuda/losses_cuda.h"
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

double nll_loss_cuda(const float*, const int32_t*, int64_t, int64_t, float, float*, DeviceScratch&) { unavailable(); }

void policy_loss_cuda(const float*, const int32_t*, const PolicyToken*, int64_t, int64_t, const GrpoOptions&, float*,
                      double*, double*, DeviceScratch&) {
  unavailable();
}

void token_log_probabilities_cuda(const float*, const int32_t*, int64_t, int64_t, double, double*, DeviceScratch&) {
  unavailable();
}

}  // namespace spct
