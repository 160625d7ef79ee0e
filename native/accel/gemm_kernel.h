#pragma once

#include <cstdint>
#include <vector>

namespace spct {

// Products of rows with panels of weights for one instruction set. A panel holds, for every k, the weights of
// `panel_columns` output columns: as F32 one after the other, as bfloat16 in pairs of a column and the one half a panel
// on, so that a vector of pairs gives two vectors of neighbours. As int8 it holds, for every block of k, the columns'
// values in pairs of k, then a scale for each column.
struct GemmKernel {
  // out [rows][out_stride], panel_columns of each (+)= values [rows][values_stride], depth of each, times the panel.
  using Multiply = void (*)(const float* values, int64_t values_stride, int64_t rows, const void* panel, int64_t depth,
                            float* out, int64_t out_stride, bool add);

  // The same with rows of int16, which have a scale for every block of k; depth is in whole blocks.
  using MultiplyInt8 = void (*)(const int16_t* values, const float* scales, int64_t values_stride, int64_t rows,
                                const void* panel, int64_t depth, float* out, int64_t out_stride, bool add);
  // Rounds a row, in whole blocks, to int16. A block with a value that is not finite gets a scale that is none.
  using Round = void (*)(const float* row, int64_t depth, int16_t* values, float* scales);

  const char* name;
  int64_t panel_columns;
  Multiply multiply_f32, multiply_bf16;
  MultiplyInt8 multiply_int8;  // null, and round too, where there is none
  Round round;
};

constexpr int64_t most_panel_columns = 32;
constexpr int64_t int8_block = 32;  // of k, that of Q8_0

// Every one in this build that this processor can run, the fastest last.
std::vector<const GemmKernel*> available_gemm_kernels();

}  // namespace spct
