#include "accel/shared_attention.h"

#include <ggml.h>
#include <omp.h>

#include <algorithm>
#include <cstring>
#include <numeric>

#include "accel/attention_kernel.h"

namespace spct {

namespace {

// More rows are a prompt's, which lie side by side already.
constexpr int64_t most_sorted_rows = 128;

float parameter(const ggml_tensor* node, int index) {
  float value;
  std::memcpy(&value, node->op_params + index, sizeof value);
  return value;
}

// The first whole cache line from there on; vectors that begin elsewhere lie in two.
double* aligned(double* memory) {
  constexpr uintptr_t line = attention_vector * sizeof(float);
  return reinterpret_cast<double*>((reinterpret_cast<uintptr_t>(memory) + line - 1) / line * line);
}

bool is_one_stream(const ggml_tensor* tensor) { return tensor->ne[3] == 1; }

}  // namespace

bool SharedAttention::accepts(const ggml_tensor* node) {
  const ggml_tensor *query = node->src[0], *keys = node->src[1], *values = node->src[2], *mask = node->src[3];
  if (node->op != GGML_OP_FLASH_ATTN_EXT || mask == nullptr || node->src[4] != nullptr) return false;
  constexpr int64_t most_width = 1024;
  for (const ggml_tensor* tensor : {query, keys, values}) {
    const bool whole = tensor->ne[0] % attention_vector == 0 && tensor->ne[0] <= most_width;
    if (!is_one_stream(tensor) || !whole || tensor->nb[0] != ggml_type_size(tensor->type)) return false;
  }
  const bool types = query->type == GGML_TYPE_F32 && keys->type == GGML_TYPE_F16 && values->type == GGML_TYPE_F16 &&
                     mask->type == GGML_TYPE_F16;
  const bool heads =
      keys->ne[2] == values->ne[2] && query->ne[2] % keys->ne[2] == 0 && query->ne[2] / keys->ne[2] <= attention_lanes;
  const bool hides_only = parameter(node, 1) == 0 && mask->ne[2] == 1 && is_one_stream(mask) &&
                          mask->ne[0] >= keys->ne[1] && mask->ne[1] >= query->ne[1];
  return types && heads && hides_only && ggml_is_contiguous(node);
}

void SharedAttention::run(const ggml_tensor* node) {
  const ggml_tensor *query = node->src[0], *keys = node->src[1], *values = node->src[2], *mask = node->src[3];
  const int64_t rows = query->ne[1], heads = query->ne[2], kv_heads = keys->ne[2], group = heads / kv_heads;
  const float softcap = parameter(node, 2);
  AttentionShape shape{keys->ne[0], values->ne[0], keys->ne[1], 0, parameter(node, 0), softcap};
  if (softcap != 0) shape.scale /= softcap;
  shape.blocks = (shape.cells + attention_block - 1) / attention_block;

  visible_.resize(rows * shape.blocks);
#pragma omp parallel for num_threads(threads_)
  for (int64_t row = 0; row < rows; ++row) {
    const auto* entries = reinterpret_cast<const uint16_t*>(static_cast<const char*>(mask->data) + row * mask->nb[1]);
    for (int64_t at = 0; at < shape.blocks; ++at) {
      const int64_t begin = at * attention_block;
      const int64_t count = std::min(attention_block, shape.cells - begin);
      visible_[row * shape.blocks + at] = kernel_.visible_cells(entries + begin, count);
    }
  }
  rows_.resize(rows);
  std::iota(rows_.begin(), rows_.end(), 0);
  if (rows <= most_sorted_rows) {
    std::sort(rows_.begin(), rows_.end(), [&](int32_t a, int32_t b) {
      const uint64_t *left = visible_.data() + a * shape.blocks, *right = visible_.data() + b * shape.blocks;
      return std::lexicographical_compare(left, left + shape.blocks, right, right + shape.blocks);
    });
  }

  int64_t at_once = std::max<int64_t>(1, attention_lanes / group);
  while (kv_heads * ((rows + at_once - 1) / at_once) < threads_ && at_once * group > attention_vector) at_once /= 2;
  const int64_t parts = (rows + at_once - 1) / at_once;
  const size_t each = attention_scratch(shape);
  scratch_.resize(each * threads_ + attention_vector);
  double* const scratch = aligned(scratch_.data());
  dense_.resize(shape.blocks * threads_);
#pragma omp parallel for num_threads(threads_) schedule(dynamic, 1)
  for (int64_t i = 0; i < kv_heads * parts; ++i) {
    const int64_t kv_head = i / parts, first = i % parts * at_once;
    AttentionTask task;
    task.keys = static_cast<const char*>(keys->data) + kv_head * keys->nb[2];
    task.values = static_cast<const char*>(values->data) + kv_head * values->nb[2];
    task.key_stride = keys->nb[1];
    task.value_stride = values->nb[1];
    task.lanes = 0;
    for (int64_t at = first; at < std::min(first + at_once, rows); ++at) {
      const int64_t row = rows_[at];
      for (int64_t head = kv_head * group; head < (kv_head + 1) * group; ++head, ++task.lanes) {
        const char* from = static_cast<const char*>(query->data) + row * query->nb[1] + head * query->nb[2];
        task.query[task.lanes] = reinterpret_cast<const float*>(from);
        task.out[task.lanes] = static_cast<float*>(node->data) + (row * heads + head) * shape.value_width;
        task.visible[task.lanes] = visible_.data() + row * shape.blocks;
      }
    }
    task.dense = dense_.data() + shape.blocks * omp_get_thread_num();
    kernel_.attend(shape, task, scratch + each * omp_get_thread_num());
  }
}

}  // namespace spct
