#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

struct ggml_tensor;

namespace spct {

// A copy of a weight matrix [N, K] in a layout for products with many rows. The product does not read the original.
class PackedMatrix {
 public:
  PackedMatrix(int64_t rows, int64_t columns) : rows_(rows), columns_(columns) {}
  virtual ~PackedMatrix() = default;
  PackedMatrix(const PackedMatrix&) = delete;
  PackedMatrix& operator=(const PackedMatrix&) = delete;

  int64_t rows() const { return rows_; }        // N
  int64_t columns() const { return columns_; }  // K
  virtual const void* data() const = 0;
  virtual size_t bytes() const = 0;

 private:
  const int64_t rows_, columns_;
};

// Products with packed matrices on one thread and its OpenMP team.
class PackedProduct {
 public:
  virtual ~PackedProduct() = default;

  virtual void set_threads(int threads) = 0;

  // out [count, N] = values [count, K] * weight^T, all F32 and without gaps. With `same_values`, the values are those
  // of the call before.
  virtual void run(const PackedMatrix& weight, const float* values, int64_t count, float* out, bool same_values) = 0;
};

// One way to pack matrices and to multiply with them. Copies are bfloat16 for quantized and BF16 weights, which that
// hardly rounds any more, F32 for F16 and F32 weights; Q8_0 may stay what it is. All throw Error OUT_OF_MEMORY,
// PACKING_FAILED, and std::bad_alloc.
class Gemm {
 public:
  virtual ~Gemm() = default;

  virtual std::string description() const = 0;  // such as "AVX2"
  // Products of fewer rows are seldom faster than ggml's, on the CPUs that were measured.
  virtual int64_t usual_least_rows() const = 0;
  // What a copy of a whole weight would take.
  virtual size_t bytes_for(const ggml_tensor* weight) const = 0;
  // Copies the first `rows` rows (0: all) of a matrix in host memory; on the calling thread's OpenMP team of `threads`.
  virtual std::unique_ptr<PackedMatrix> pack(const ggml_tensor* weight, int64_t rows, int threads) const = 0;
  virtual std::unique_ptr<PackedProduct> new_product() const = 0;
};

// The fastest on this CPU; null where there is none.
const Gemm* gemm();

// The fastest of those whose rows depend neither on each other nor on their number.
const Gemm* batch_invariant_gemm();

// Whether a weight can be packed and multiplied with on this CPU. Cheap.
bool can_pack(const ggml_tensor* weight);

}  // namespace spct
