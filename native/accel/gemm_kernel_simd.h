#pragma once

// Products of rows with panels of weights over a SIMD type, for the files that compile them for one instruction set
// each. Those files include nothing with inline functions of its own: the linker could give their copies to older
// processors.
//
// Simd has: width; rows_at_once, rows whose sums fill the registers; Floats; load, load_kept (in a register, for
// several uses), store, set, fused(a, b, c), a * b + c; load_pairs(from, first, second), of bfloat16; and prefetch.

#include "accel/gemm_kernel.h"

namespace spct {
namespace {

template <int Rows>
struct Part {
  static constexpr int rows = Rows;
};

template <int Rows, class Work>
void in_part(int64_t rows, int64_t row, const Work& work) {
  if constexpr (Rows > 0) {
    if (rows < Rows) return in_part<Rows - 1>(rows, row, work);
    work(Part<Rows>(), row);
  }
}

// Calls `work` for parts of at most `Most` rows, in even parts, as few rows leave the arithmetic units waiting for each
// other.
template <int Most, class Work>
void in_even_parts(int64_t rows, const Work& work) {
  const int64_t parts = (rows + Most - 1) / Most;
  for (int64_t part = 0; part < parts; ++part) {
    const int64_t row = rows * part / parts, end = rows * (part + 1) / parts;
    in_part<Most>(end - row, row, work);
  }
}

template <class Simd>
class GemmLoops {
 public:
  static constexpr GemmKernel table(const char* name, GemmKernel::MultiplyInt8 multiply_int8 = nullptr,
                                    GemmKernel::Round round = nullptr) {
    return {name, panel_columns, multiply<Wide>, multiply<Rounded>, multiply_int8, round};
  }

 private:
  using Floats = typename Simd::Floats;
  static constexpr int64_t width = Simd::width;
  static constexpr int64_t panel_columns = 2 * width;
  static_assert(panel_columns <= most_panel_columns, "a panel has a limit");

  struct Wide {
    using Stored = float;
    static void load(const float* from, Floats& first, Floats& second) {
      first = Simd::load_kept(from);
      second = Simd::load_kept(from + width);
    }
  };
  struct Rounded {
    using Stored = uint16_t;
    static void load(const uint16_t* from, Floats& first, Floats& second) { Simd::load_pairs(from, first, second); }
  };

  template <class Weights, int Rows>
  static void multiply_rows(const float* values, int64_t values_stride, const typename Weights::Stored* panel,
                            int64_t depth, float* out, int64_t out_stride, bool add) {
    Floats sums[Rows][2];
    for (int row = 0; row < Rows; ++row) {
      for (int half = 0; half < 2; ++half) {
        sums[row][half] = add ? Simd::load(out + row * out_stride + half * width) : Simd::set(0.0f);
        Simd::prefetch(out + row * out_stride + panel_columns + half * width);  // where the next panel's sums go
      }
    }
    for (int64_t k = 0; k < depth; ++k) {
      Floats first, second;
      Weights::load(panel + k * panel_columns, first, second);
      Simd::prefetch(panel + (depth + k) * panel_columns);  // the panel after this one
      for (int row = 0; row < Rows; ++row) {
        const Floats value = Simd::set(values[row * values_stride + k]);
        sums[row][0] = Simd::fused(value, first, sums[row][0]);
        sums[row][1] = Simd::fused(value, second, sums[row][1]);
      }
    }
    for (int row = 0; row < Rows; ++row) {
      for (int half = 0; half < 2; ++half) Simd::store(out + row * out_stride + half * width, sums[row][half]);
    }
  }

  template <class Weights>
  static void multiply(const float* values, int64_t values_stride, int64_t rows, const void* panel, int64_t depth,
                       float* out, int64_t out_stride, bool add) {
    const auto* weights = static_cast<const typename Weights::Stored*>(panel);
    in_even_parts<Simd::rows_at_once>(rows, [=](auto part, int64_t row) {
      multiply_rows<Weights, part.rows>(values + row * values_stride, values_stride, weights, depth,
                                        out + row * out_stride, out_stride, add);
    });
  }
};

}  // namespace
}  // namespace spct
