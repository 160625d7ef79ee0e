#pragma once

#include <cstdint>
#include <memory>

struct ggml_tensor;

namespace spct {

class Gemm;
class PackedMatrix;

// Adds a device of type "accel" to ggml's, which works in the CPU's memory. It takes the products of packed weights,
// the attention of AttentionSharing and nothing else, so other models of the process do not meet it. Without support
// for either there is no such device. Before the first model is loaded, as ggml's list of devices may not be read while
// it grows.
void register_accel_device();

// With one more kind of device llama.cpp would not let several GPUs work on different batches at once.
bool accel_device_disturbs();

// While it exists, ggml's scheduler gives the device every product of `weight` with at least `least_rows` rows, which
// `gemm` multiplies with `packed`. Ends after the contexts that use the weight.
class GemmClaim {
 public:
  GemmClaim(const ggml_tensor* weight, const Gemm& gemm, std::unique_ptr<PackedMatrix> packed, int64_t least_rows);
  ~GemmClaim();
  GemmClaim(const GemmClaim&) = delete;
  GemmClaim& operator=(const GemmClaim&) = delete;

 private:
  const ggml_tensor* weight_;
};

}  // namespace spct
