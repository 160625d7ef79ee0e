// The symbols of a build without oneDNN.
#include "accel/accel_device.h"
#include "accel/packed_weights.h"

namespace spct {

GemmSupport gemm_support() { return {false, "built without oneDNN"}; }

void register_accel_device() {}

GemmClaim::~GemmClaim() = default;

PackedWeights::PackedWeights(const std::vector<const ggml_tensor*>&, const PackingOptions&) {}

PackedWeights::~PackedWeights() = default;

size_t PackedWeights::bytes_of_all() { return 0; }

}  // namespace spct
