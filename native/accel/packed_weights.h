#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

struct ggml_tensor;

namespace spct {

class GemmClaim;

// What multiplies packed weights on this machine, such as "oneDNN 3.5.0, bf16" or "AVX2"; where nothing does, why.
struct GemmSupport {
  bool available = false;
  std::string description;
};
GemmSupport gemm_support();

struct PackingOptions {
  int threads = 1;
  // Whether only those weights are packed whose products were measured to be faster, on this thread and at once. The
  // first measurement of a shape in a process holds for all later ones. Otherwise all are, for `least_rows` and more.
  bool measure = true;
  int64_t least_rows = 0;        // 0: what is usual
  bool batch_invariant = false;  // by products whose rows do not depend on each other; then one row is usual
  size_t most_bytes = SIZE_MAX;  // nothing is packed when all copies together would take more
};

// Copies of a model's weights in a layout for products with many rows, made once. Contexts that are made later multiply
// with the copies; they must end first. Weights are matrices in host memory and must not change.
class PackedWeights {
 public:
  // Throws Error OUT_OF_MEMORY, or PACKING_FAILED for another reason. Without gemm_support() nothing is packed.
  PackedWeights(const std::vector<const ggml_tensor*>& weights, const PackingOptions& options);
  ~PackedWeights();
  PackedWeights(const PackedWeights&) = delete;
  PackedWeights& operator=(const PackedWeights&) = delete;

  // Of all models of the process.
  static size_t bytes_of_all();
  size_t bytes() const { return bytes_; }
  size_t count() const { return claims_.size(); }
  // What multiplies them.
  const std::string& gemm() const { return gemm_; }
  // Fewer rows than this are always multiplied as without the copies; 0: nothing is packed.
  int64_t least_rows() const { return least_rows_; }

 private:
  void pack(const std::vector<const ggml_tensor*>& weights, const PackingOptions& options);

  std::vector<std::unique_ptr<GemmClaim>> claims_;
  std::string gemm_;
  size_t bytes_ = 0;
  int64_t least_rows_ = 0;
};

}  // namespace spct
