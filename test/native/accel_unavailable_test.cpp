// A build without oneDNN says so, packs nothing and has no device for it.
#include <ggml-backend.h>

#include <cstdio>

#include "accel/packed_weights.h"
#include "check.h"

int main() {
  const spct::GemmSupport support = spct::gemm_support();
  std::printf("%s\n", support.description.c_str());
  CHECK(!support.available && support.description == "built without oneDNN");
  spct::register_accel_device();
  CHECK(ggml_backend_dev_by_name("oneDNN") == nullptr);
  const spct::PackedWeights packed({nullptr}, {});
  CHECK(packed.count() == 0 && packed.bytes() == 0 && packed.least_rows() == 0);
  return check_result();
}
