// A build that adds no device to ggml says so and packs nothing.
#include <ggml-backend.h>

#include <cstdio>

#include "accel/accel_device.h"
#include "accel/attention_sharing.h"
#include "accel/packed_weights.h"
#include "check.h"

int main() {
  const spct::GemmSupport support = spct::gemm_support();
  std::printf("%s\n", support.description.c_str());
  CHECK(!support.available && !support.description.empty());
  CHECK(spct::attention_sharing_support().empty());
  spct::register_accel_device();
  CHECK(ggml_backend_dev_by_name("spct") == nullptr);
  const spct::PackedWeights packed({nullptr}, {});
  CHECK(packed.count() == 0 && packed.bytes() == 0 && packed.least_rows() == 0);
  return check_result();
}
