#pragma once

#include <cstdint>
#include <vector>

namespace spct {

// Products of rows with panels of weights for one instruction set. A panel holds, for every k, the weights of
// `panel_columns` output columns: as F32 one after the other, as bfloat16 in pairs of a column and the one half a panel
// on, so that a vector of pairs gives two vectors of neighbours.
struct GemmKernel {
  // out [rows][out_stride], panel_columns of each (+)= values [rows][values_stride], depth of each, times the panel.
  using Multiply = void (*)(const float* values, int64_t values_stride, int64_t rows, const void* panel, int64_t depth,
                            float* out, int64_t out_stride, bool add);

  const char* name;
  int64_t panel_columns;
  Multiply multiply_f32, multiply_bf16;
};

constexpr int64_t most_panel_columns = 32;

// Every one in this build that this processor can run, the fastest last.
std::vector<const GemmKernel*> available_gemm_kernels();

}  // namespace spct
