#include "accel/vector_gemm.h"

#include <ggml.h>
#define GGML_COMMON_DECL_CPP
#include <ggml-common.h>

#include <algorithm>
#include <new>
#include <utility>
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

enum class PanelType { f32, bf16, int8 };

PanelType panel_type(const GemmKernel& kernel, const ggml_tensor* weight) {
  static_assert(int8_block == QK8_0, "blocks are copied as they are");
  if (kernel.multiply_int8 != nullptr && weight->type == GGML_TYPE_Q8_0) return PanelType::int8;
  return packs_as_bf16(weight) ? PanelType::bf16 : PanelType::f32;
}

// Of `columns`, in whole blocks where there are blocks.
size_t panel_bytes(PanelType type, int64_t columns, int64_t panel_columns) {
  const size_t values = columns * panel_columns;
  switch (type) {
    case PanelType::f32: return values * sizeof(float);
    case PanelType::bf16: return values * sizeof(uint16_t);
    case PanelType::int8: return values + values / int8_block * sizeof(float);
  }
  return 0;
}

size_t packed_bytes(PanelType type, int64_t rows, int64_t columns, int64_t panel_columns) {
  return (rows + panel_columns - 1) / panel_columns * panel_bytes(type, columns, panel_columns);
}

// [panels][K][panel_columns]
class PanelMatrix : public PackedMatrix {
 public:
  PanelMatrix(const GemmKernel& kernel, const ggml_tensor* weight, int64_t rows, int threads)
      : PackedMatrix(rows, weight->ne[0]),
        width(kernel.panel_columns),
        panels((rows + width - 1) / width),
        type(panel_type(kernel, weight)),
        memory_(static_cast<char*>(::operator new(bytes(), cache_line))) {
    std::vector<float> values(width * columns() * threads);
#pragma omp parallel for num_threads(threads)
    for (int64_t thread = 0; thread < threads; ++thread) {
      float* const mine = values.data() + thread * width * columns();
      for (int64_t panel = thread; panel < panels; panel += threads) pack_panel(weight, panel, mine);
    }
  }

  const void* data() const override { return memory_.get(); }
  size_t bytes() const override { return packed_bytes(type, rows(), columns(), width); }
  const char* panel(int64_t index, int64_t k) const { return memory_.get() + place(index, k); }

  const int64_t width, panels;
  const PanelType type;

 private:
  size_t place(int64_t index, int64_t k) const {
    return index * panel_bytes(type, columns(), width) + panel_bytes(type, k, width);
  }

  void pack_panel(const ggml_tensor* weight, int64_t index, float* values) {
    const int64_t first = index * width, there = std::min(width, rows() - first);
    char* const to = memory_.get() + place(index, 0);
    if (type == PanelType::int8) return pack_blocks(weight, first, there, to);
    for (int64_t i = 0; i < there; ++i) row_to_float(weight, first + i, values + i * columns());
    std::fill(values + there * columns(), values + width * columns(), 0.0f);
    for (int64_t k = 0; k < columns(); ++k) {
      for (int64_t i = 0; i < width; ++i) {
        const float value = values[i * columns() + k];
        if (type == PanelType::bf16) {
          const int64_t half = width / 2, pair = 2 * (i % half) + i / half;
          reinterpret_cast<uint16_t*>(to)[k * width + pair] = to_bf16(value);
        } else {
          reinterpret_cast<float*>(to)[k * width + i] = value;
        }
      }
    }
  }

  void pack_blocks(const ggml_tensor* weight, int64_t first, int64_t there, char* to) const {
    std::fill_n(to, panel_bytes(type, columns(), width), 0);
    const size_t size = panel_bytes(type, int8_block, width);
    for (int64_t i = 0; i < there; ++i) {
      const char* const row = static_cast<const char*>(weight->data) + (first + i) * weight->nb[1];
      const auto* const blocks = reinterpret_cast<const block_q8_0*>(row);
      for (int64_t block = 0; block < columns() / int8_block; ++block) {
        char* const values = to + block * size;
        for (int64_t k = 0; k < int8_block; ++k) values[k / 2 * 2 * width + 2 * i + k % 2] = blocks[block].qs[k];
        reinterpret_cast<float*>(values + int8_block * width)[i] = ggml_fp16_to_fp32(blocks[block].d);
      }
    }
  }

  std::unique_ptr<char, Free> memory_;
};

class PanelProduct : public PackedProduct {
 public:
  explicit PanelProduct(const GemmKernel& kernel) : kernel_(kernel) {}

  void set_threads(int threads) override { threads_ = threads; }

  void run(const PackedMatrix& weight, const float* values, int64_t count, float* out, bool same_values) override {
    const auto& matrix = static_cast<const PanelMatrix&>(weight);
    const int64_t row_blocks = (count + rows_at_once - 1) / rows_at_once;
    const int64_t most_at_once = 16, fair = matrix.panels * row_blocks / (4 * threads_);
    const int64_t panels_at_once = std::clamp<int64_t>(fair, 1, most_at_once);
    const int64_t groups = (matrix.panels + panels_at_once - 1) / panels_at_once;
    if (matrix.type != PanelType::int8) {
      are_rounded_ = are_rounded_ && same_values;
    } else if (!std::exchange(are_rounded_, true) || !same_values) {
      round(values, count, matrix.columns());
    }
#pragma omp parallel for num_threads(threads_) schedule(dynamic, 1)
    for (int64_t i = 0; i < row_blocks * groups; ++i) {
      const int64_t row = i / groups * rows_at_once, panel = i % groups * panels_at_once;
      multiply(matrix, values, row, std::min(rows_at_once, count - row), panel,
               std::min(panel + panels_at_once, matrix.panels), out + row * matrix.rows());
    }
  }

 private:
  void round(const float* values, int64_t count, int64_t columns) {
    rounded_.resize(count * columns);
    scales_.resize(count * (columns / int8_block));
#pragma omp parallel for num_threads(threads_)
    for (int64_t row = 0; row < count; ++row) {
      kernel_.round(values + row * columns, columns, rounded_.data() + row * columns,
                    scales_.data() + row * (columns / int8_block));
    }
  }

  void multiply(const PanelMatrix& matrix, const float* values, int64_t row, int64_t rows, int64_t first, int64_t end,
                float* out) const {
    const int64_t columns = matrix.columns();
    const auto multiply_panel = [&](const void* panel, int64_t k, int64_t depth, float* to, int64_t stride) {
      const int64_t at = row * columns + k;
      if (matrix.type == PanelType::int8) {
        kernel_.multiply_int8(rounded_.data() + at, scales_.data() + at / int8_block, columns, rows, panel, depth, to,
                              stride, k > 0);
      } else {
        const auto kernel = matrix.type == PanelType::bf16 ? kernel_.multiply_bf16 : kernel_.multiply_f32;
        kernel(values + at, columns, rows, panel, depth, to, stride, k > 0);
      }
    };
    const int64_t width = matrix.width, last_width = matrix.rows() - (matrix.panels - 1) * width;
    float rest[rows_at_once * most_panel_columns];  // of a panel that has fewer columns
    for (int64_t k = 0; k < columns; k += depth_at_once) {
      const int64_t depth = std::min(depth_at_once, columns - k);
      for (int64_t panel = first; panel < end; ++panel) {
        const bool whole = panel + 1 < matrix.panels || last_width == width;
        multiply_panel(matrix.panel(panel, k), k, depth, whole ? out + panel * width : rest,
                       whole ? matrix.rows() : width);
      }
    }
    if (end < matrix.panels || last_width == width) return;
    for (int64_t row = 0; row < rows; ++row) {
      std::copy_n(rest + row * width, last_width, out + row * matrix.rows() + (matrix.panels - 1) * width);
    }
  }

  const GemmKernel& kernel_;
  int threads_ = 1;
  bool are_rounded_ = false;  // the values of the call before, in:
  std::vector<int16_t> rounded_;
  std::vector<float> scales_;
};

class VectorGemm : public Gemm {
 public:
  explicit VectorGemm(const GemmKernel& kernel) : kernel_(kernel) {}

  std::string description() const override { return kernel_.name; }

  int64_t usual_least_rows() const override { return 2; }

  size_t bytes_for(const ggml_tensor* weight) const override {
    return packed_bytes(panel_type(kernel_, weight), weight->ne[1], weight->ne[0], kernel_.panel_columns);
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
