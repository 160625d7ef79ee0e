#pragma once

#include <cstdint>
#include <memory>

struct ggml_tensor;

namespace spct {

class PackedMatrix;

// While it exists, ggml's scheduler gives the device every product of `weight` with at least `least_rows` rows, and the
// attention of the queries that are such a product. Ends after the contexts that use the weight.
class GemmClaim {
 public:
  GemmClaim(const ggml_tensor* weight, std::unique_ptr<PackedMatrix> packed, int64_t least_rows);
  ~GemmClaim();
  GemmClaim(const GemmClaim&) = delete;
  GemmClaim& operator=(const GemmClaim&) = delete;

 private:
  const ggml_tensor* weight_;
};

}  // namespace spct
