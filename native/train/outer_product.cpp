#include "train/outer_product.h"

#include <ggml-impl.h>

#include <algorithm>
#include <cstring>
#include <vector>

namespace spct {
namespace {

#if defined(__AVX512F__)
constexpr int lanes = 16;
#else
constexpr int lanes = 8;
#endif
typedef float Vector __attribute__((vector_size(lanes * sizeof(float)), aligned(4), may_alias));

// Steps in k whose slice of `a` stays in the first-level cache.
constexpr int64_t depth_block = 128;

struct Operands {
  const float* a;
  size_t a_stride;
  const float* b;
  size_t b_row_stride;
  size_t b_stride;
  float* destination;
  size_t destination_stride;
};

Vector* vector_at(float* data, int64_t index) { return reinterpret_cast<Vector*>(data + index); }
const Vector* vector_at(const float* data, int64_t index) { return reinterpret_cast<const Vector*>(data + index); }

// Adds `depth` steps to a tile of `tile_rows` rows and `vectors` vectors of columns. The loops over the tile must be
// unrolled, or the sums leave the registers.
template <int tile_rows, int vectors>
void add_tile(const Operands& at, int64_t depth) {
  Vector sums[tile_rows][vectors];
#pragma GCC unroll 8
  for (int row = 0; row < tile_rows; ++row) {
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v)
      sums[row][v] = *vector_at(at.destination + row * at.destination_stride, v * lanes);
  }
  const float* a = at.a;
  const float* b = at.b;
  const size_t b_row_stride = at.b_row_stride;
  for (int64_t k = 0; k < depth; ++k, a += at.a_stride, b += at.b_stride) {
    Vector column[vectors];
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) column[v] = *vector_at(a, v * lanes);
#pragma GCC unroll 8
    for (int row = 0; row < tile_rows; ++row) {
      const float factor = b[row * b_row_stride];
#pragma GCC unroll 4
      for (int v = 0; v < vectors; ++v) sums[row][v] += column[v] * factor;
    }
  }
#pragma GCC unroll 8
  for (int row = 0; row < tile_rows; ++row) {
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v)
      *vector_at(at.destination + row * at.destination_stride, v * lanes) = sums[row][v];
  }
}

Operands moved(const Operands& from, int64_t column, int64_t row, int64_t k) {
  Operands to = from;
  to.a += column + k * static_cast<int64_t>(from.a_stride);
  to.b += row * static_cast<int64_t>(from.b_row_stride) + k * static_cast<int64_t>(from.b_stride);
  to.destination += column + row * static_cast<int64_t>(from.destination_stride);
  return to;
}

template <int tile_rows>
void add_rows(const Operands& at, int64_t columns, int64_t depth) {
  int64_t column = 0;
  for (; column + 4 * lanes <= columns; column += 4 * lanes) add_tile<tile_rows, 4>(moved(at, column, 0, 0), depth);
  for (; column + 2 * lanes <= columns; column += 2 * lanes) add_tile<tile_rows, 2>(moved(at, column, 0, 0), depth);
  for (; column + lanes <= columns; column += lanes) add_tile<tile_rows, 1>(moved(at, column, 0, 0), depth);
  for (; column < columns; ++column) {
    for (int row = 0; row < tile_rows; ++row) {
      float sum = 0;
      for (int64_t k = 0; k < depth; ++k) {
        sum += at.a[column + k * at.a_stride] * at.b[row * at.b_row_stride + k * at.b_stride];
      }
      at.destination[row * at.destination_stride + column] += sum;
    }
  }
}

size_t floats(size_t bytes) { return bytes / sizeof(float); }

void clear(const Operands& at, int64_t columns, int64_t rows) {
  for (int64_t row = 0; row < rows; ++row) std::fill_n(at.destination + row * at.destination_stride, columns, 0.0f);
}

// At most `depth_block` steps.
void add_steps(const Operands& at, int64_t columns, int64_t rows, int64_t steps) {
  int64_t row = 0;
  for (; row + 6 <= rows; row += 6) add_rows<6>(moved(at, 0, row, 0), columns, steps);
  for (; row < rows; ++row) add_rows<1>(moved(at, 0, row, 0), columns, steps);
}

// outer_product with an `a` of another type, whose steps lie `a_bytes` apart.
void outer_product_of(const char* a, size_t a_bytes, ggml_to_float_t convert, Operands at, int64_t columns,
                      int64_t rows, int64_t depth) {
  thread_local std::vector<float> converted;
  converted.resize(static_cast<size_t>(depth_block * columns));
  clear(at, columns, rows);
  for (int64_t k = 0; k < depth; k += depth_block) {
    const int64_t steps = std::min(depth_block, depth - k);
    for (int64_t step = 0; step < steps; ++step) {
      convert(a + static_cast<size_t>(k + step) * a_bytes, converted.data() + step * columns, columns);
    }
    Operands part = at;
    part.a = converted.data();
    part.a_stride = static_cast<size_t>(columns);
    part.b += k * static_cast<int64_t>(at.b_stride);
    add_steps(part, columns, rows, steps);
  }
}

void compute_node(ggml_tensor* node, int thread, int threads, void*) {
  const ggml_tensor* a = node->src[0];
  const ggml_tensor* b = node->src[1];
  const int64_t rows = node->ne[1];
  const int64_t begin = rows * thread / threads;
  const int64_t end = rows * (thread + 1) / threads;
  for (int64_t i3 = 0; i3 < node->ne[3]; ++i3) {
    for (int64_t i2 = 0; i2 < node->ne[2]; ++i2) {
      const int64_t a2 = i2 / (node->ne[2] / a->ne[2]);
      const int64_t a3 = i3 / (node->ne[3] / a->ne[3]);
      const auto* a_data = static_cast<const char*>(a->data) + a2 * a->nb[2] + a3 * a->nb[3];
      const auto* b_data = static_cast<const char*>(b->data) + i2 * b->nb[2] + i3 * b->nb[3] + begin * b->nb[0];
      auto* data = static_cast<char*>(node->data) + i2 * node->nb[2] + i3 * node->nb[3] + begin * node->nb[1];
      const Operands at{reinterpret_cast<const float*>(a_data),
                        floats(a->nb[1]),
                        reinterpret_cast<const float*>(b_data),
                        floats(b->nb[0]),
                        floats(b->nb[1]),
                        reinterpret_cast<float*>(data),
                        floats(node->nb[1])};
      if (a->type == GGML_TYPE_F32) {
        outer_product(at.a, at.a_stride, at.b, at.b_row_stride, at.b_stride, at.destination, at.destination_stride,
                      node->ne[0], end - begin, a->ne[1]);
      } else {
        const ggml_to_float_t convert = ggml_get_type_traits(a->type)->to_float;
        outer_product_of(a_data, a->nb[1], convert, at, node->ne[0], end - begin, a->ne[1]);
      }
    }
  }
}

bool convertible(const ggml_tensor* tensor) {
  return tensor->type == GGML_TYPE_F32 || ggml_get_type_traits(tensor->type)->to_float != nullptr;
}

}  // namespace

void outer_product(const float* a, size_t a_stride, const float* b, size_t b_row_stride, size_t b_stride,
                   float* destination, size_t destination_stride, int64_t columns, int64_t rows, int64_t depth) {
  const Operands all{a, a_stride, b, b_row_stride, b_stride, destination, destination_stride};
  clear(all, columns, rows);
  for (int64_t k = 0; k < depth; k += depth_block) {
    add_steps(moved(all, 0, 0, k), columns, rows, std::min(depth_block, depth - k));
  }
}

void accelerate_outer_products(ggml_cgraph* graph) {
  for (int i = 0; i < ggml_graph_n_nodes(graph); ++i) {
    ggml_tensor* node = ggml_graph_node(graph, i);
    if (node->op != GGML_OP_OUT_PROD || !convertible(node->src[0]) || node->src[1]->type != GGML_TYPE_F32) continue;
    const ggml_custom_op_params parameters{compute_node, GGML_N_TASKS_MAX, nullptr};
    static_assert(sizeof(parameters) <= sizeof(node->op_params), "the function does not fit into the node");
    node->op = GGML_OP_CUSTOM;
    std::memcpy(node->op_params, &parameters, sizeof(parameters));
  }
}

}  // namespace spct
