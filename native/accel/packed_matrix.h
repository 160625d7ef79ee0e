#pragma once

#include <cstdint>
#include <memory>

struct ggml_tensor;

namespace spct {

// A copy of a weight matrix [N, K] in oneDNN's own layout: bfloat16 for quantized and BF16 weights, which that hardly
// rounds any more, F32 for F16 and F32 weights. The product does not read the original. All throw dnnl::error and
// std::bad_alloc.
class PackedMatrix {
 public:
  // Copies the first `rows` rows (0: all) of a matrix in host memory; on the calling thread's OpenMP team of `threads`.
  PackedMatrix(const ggml_tensor* weight, int64_t rows, int threads);
  ~PackedMatrix();
  PackedMatrix(const PackedMatrix&) = delete;
  PackedMatrix& operator=(const PackedMatrix&) = delete;

  // Whether there is a copy that multiplies fast on this CPU. Cheap.
  static bool accepts(const ggml_tensor* weight);

  int64_t rows() const { return rows_; }        // N
  int64_t columns() const { return columns_; }  // K
  const void* data() const;
  size_t bytes() const;
  // What a copy of the whole weight would take.
  static size_t bytes_for(const ggml_tensor* weight);

 private:
  friend class PackedProduct;
  struct Memory;
  std::unique_ptr<Memory> memory_;
  int64_t rows_, columns_;
};

// Products with packed matrices on one thread and its OpenMP team. Keeps what oneDNN generated for each shape. Throws
// as those do.
class PackedProduct {
 public:
  PackedProduct();
  ~PackedProduct();
  PackedProduct(const PackedProduct&) = delete;
  PackedProduct& operator=(const PackedProduct&) = delete;

  // What was generated for another number of threads is forgotten.
  void set_threads(int threads);

  // out [count, N] = values [count, K] * weight^T, all F32 and without gaps. With `same_values`, the values are those
  // of the call before.
  void run(const PackedMatrix& weight, const float* values, int64_t count, float* out, bool same_values);

 private:
  struct Shapes;
  std::unique_ptr<Shapes> shapes_;
  int threads_ = 1;
};

}  // namespace spct
