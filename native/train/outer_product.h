#pragma once

#include <ggml.h>

namespace spct {

// Lets every OUT_PROD of a CPU graph run our kernel instead of ggml's, which is several times slower. The backward pass
// spends most of its time there. A frozen first operand may have any type that ggml can convert to F32, a few rows at a
// time. The graph must be computed by the CPU backend.
void accelerate_outer_products(ggml_cgraph* graph);

// destination [columns, rows] = sum over k of a[columns, k] * b[rows, k]. Columns of a are contiguous, `a_stride`
// floats lie between its steps in k; b has `b_row_stride` floats between rows and `b_stride` between steps in k.
void outer_product(const float* a, size_t a_stride, const float* b, size_t b_row_stride, size_t b_stride,
                   float* destination, size_t destination_stride, int64_t columns, int64_t rows, int64_t depth);

}  // namespace spct
