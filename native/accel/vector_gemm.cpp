#include "accel/vector_gemm.h"

#include <ggml.h>

#include <algorithm>
#include <new>
#include <vector>

#include "accel/gemm_kernel.h"
#include "accel/weight_rows.h"

namespace spct {

namespace {

constexpr int64_t depth_at_once = 512;  // a panel of so many k stays in the first cache
constexpr int64_t rows_at_once = 96;    // whose values of so many k stay in the second
constexpr std::align_val_t cache_line{64};

struct Free {
  void operator()(char* memory) const { ::operator delete(memory, cache_line); }
};

size_t packed_bytes(int64_t rows, int64_t columns, int64_t panel_columns, bool bf16) {
  const int64_t panels = (rows + panel_columns - 1) / panel_columns;
  return panels * panel_columns * columns * (bf16 ? sizeof(uint16_t) : sizeof(float));
}

// [panels][K][panel_columns]
class PanelMatrix : public PackedMatrix {
 public:
  PanelMatrix(const GemmKernel& kernel, const ggml_tensor* weight, int64_t rows, int threads)
      : PackedMatrix(rows, weight->ne[0]),
        width(kernel.panel_columns),
        panels((rows + width - 1) / width),
        bf16(packs_as_bf16(weight)),
        memory_(static_cast<char*>(::operator new(bytes(), cache_line))) {
    std::vector<float> values(width * columns() * threads);
#pragma omp parallel for num_threads(threads)
    for (int64_t thread = 0; thread < threads; ++thread) {
      float* const mine = values.data() + thread * width * columns();
      for (int64_t panel = thread; panel < panels; panel += threads) pack_panel(weight, panel, mine);
    }
  }

  const void* data() const override { return memory_.get(); }
  size_t bytes() const override { return packed_bytes(rows(), columns(), width, bf16); }
  const char* panel(int64_t index, int64_t k) const { return memory_.get() + place(index, k); }

  const int64_t width, panels;
  const bool bf16;

 private:
  size_t place(int64_t index, int64_t k) const {
    return (index * columns() + k) * width * (bf16 ? sizeof(uint16_t) : sizeof(float));
  }

  void pack_panel(const ggml_tensor* weight, int64_t index, float* values) {
    const int64_t first = index * width, there = std::min(width, rows() - first);
    for (int64_t i = 0; i < there; ++i) row_to_float(weight, first + i, values + i * columns());
    std::fill(values + there * columns(), values + width * columns(), 0.0f);
    char* const to = memory_.get() + place(index, 0);
    for (int64_t k = 0; k < columns(); ++k) {
      for (int64_t i = 0; i < width; ++i) {
        const float value = values[i * columns() + k];
        if (bf16) {
          const int64_t half = width / 2, pair = 2 * (i % half) + i / half;
          reinterpret_cast<uint16_t*>(to)[k * width + pair] = to_bf16(value);
        } else {
          reinterpret_cast<float*>(to)[k * width + i] = value;
        }
      }
    }
  }

  std::unique_ptr<char, Free> memory_;
};

class PanelProduct : public PackedProduct {
 public:
  explicit PanelProduct(const GemmKernel& kernel) : kernel_(kernel) {}

  void set_threads(int threads) override { threads_ = threads; }

  void run(const PackedMatrix& weight, const float* values, int64_t count, float* out, bool) override {
    const auto& matrix = static_cast<const PanelMatrix&>(weight);
    const int64_t row_blocks = (count + rows_at_once - 1) / rows_at_once;
    const int64_t most_at_once = 16, fair = matrix.panels * row_blocks / (4 * threads_);
    const int64_t panels_at_once = std::clamp<int64_t>(fair, 1, most_at_once);
    const int64_t groups = (matrix.panels + panels_at_once - 1) / panels_at_once;
#pragma omp parallel for num_threads(threads_) schedule(dynamic, 1)
    for (int64_t i = 0; i < row_blocks * groups; ++i) {
      const int64_t row = i / groups * rows_at_once, panel = i % groups * panels_at_once;
      multiply(matrix, values + row * matrix.columns(), std::min(rows_at_once, count - row), panel,
               std::min(panel + panels_at_once, matrix.panels), out + row * matrix.rows());
    }
  }

 private:
  void multiply(const PanelMatrix& matrix, const float* values, int64_t rows, int64_t first, int64_t end,
                float* out) const {
    const auto kernel = matrix.bf16 ? kernel_.multiply_bf16 : kernel_.multiply_f32;
    const int64_t width = matrix.width, last_width = matrix.rows() - (matrix.panels - 1) * width;
    float rest[rows_at_once * most_panel_columns];  // of a panel that has fewer columns
    for (int64_t k = 0; k < matrix.columns(); k += depth_at_once) {
      const int64_t depth = std::min(depth_at_once, matrix.columns() - k);
      for (int64_t panel = first; panel < end; ++panel) {
        const bool whole = panel + 1 < matrix.panels || last_width == width;
        kernel(values + k, matrix.columns(), rows, matrix.panel(panel, k), depth, whole ? out + panel * width : rest,
               whole ? matrix.rows() : width, k > 0);
      }
    }
    if (end < matrix.panels || last_width == width) return;
    for (int64_t row = 0; row < rows; ++row) {
      std::copy_n(rest + row * width, last_width, out + row * matrix.rows() + (matrix.panels - 1) * width);
    }
  }

  const GemmKernel& kernel_;
  int threads_ = 1;
};

class VectorGemm : public Gemm {
 public:
  explicit VectorGemm(const GemmKernel& kernel) : kernel_(kernel) {}

  std::string description() const override { return kernel_.name; }

  int64_t usual_least_rows() const override { return 2; }

  size_t bytes_for(const ggml_tensor* weight) const override {
    return packed_bytes(weight->ne[1], weight->ne[0], kernel_.panel_columns, packs_as_bf16(weight));
  }

  std::unique_ptr<PackedMatrix> pack(const ggml_tensor* weight, int64_t rows, int threads) const override {
    const int64_t all = weight->ne[1];
    return std::make_unique<PanelMatrix>(kernel_, weight, rows > 0 ? std::min(rows, all) : all, threads);
  }

  std::unique_ptr<PackedProduct> new_product() const override { return std::make_unique<PanelProduct>(kernel_); }

 private:
  const GemmKernel& kernel_;
};

}  // namespace

std::unique_ptr<Gemm> vector_gemm(const GemmKernel& kernel) { return std::make_unique<VectorGemm>(kernel); }

}  // namespace spct
