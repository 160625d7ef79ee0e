// The symbols of a build that adds no device to ggml.
#include "accel/accel_device.h"
#include "accel/attention_sharing.h"
#include "accel/packed_weights.h"

namespace spct {

std::string attention_sharing_support() { return {}; }

AttentionSharing::AttentionSharing(std::vector<const ggml_tensor*>, int64_t) {}

AttentionSharing::~AttentionSharing() = default;

void register_accel_device() {}

bool accel_device_disturbs() { return false; }

GemmSupport gemm_support() { return {false, "needs x86-64, OpenMP, and GCC or Clang as the compiler"}; }

GemmClaim::~GemmClaim() = default;

PackedWeights::PackedWeights(const std::vector<const ggml_tensor*>&, const PackingOptions&) {}

PackedWeights::~PackedWeights() = default;

size_t PackedWeights::bytes_of_all() { return 0; }

}  // namespace spct
