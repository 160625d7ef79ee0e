#pragma once

// Attention of rows that share cells, over a cache as llama.cpp lays it out, on the devices that ggml's scheduler
// chooses.

#include <ggml-backend.h>
#include <ggml-cpu.h>
#include <ggml.h>

#include <cmath>
#include <limits>
#include <memory>
#include <stdexcept>
#include <vector>

#include "accel/accel_device.h"
#include "accel/attention_sharing.h"
#include "noise.h"

namespace spct {

constexpr float hidden_cell = -std::numeric_limits<float>::infinity();

struct AttentionSizes {
  int64_t rows, cells, width, heads, kv_heads;
  float softcap = 0;
};

// What rows see, [rows][cells]: the `prefix` first cells or the `prefix` after them, in turn, and of the rest every row
// its own, as samples of two orderings do. The last row sees nothing.
inline std::vector<float> samples_mask(const AttentionSizes& sizes, int64_t prefix) {
  std::vector<float> mask(sizes.rows * sizes.cells, hidden_cell);
  for (int64_t row = 0; row + 1 < sizes.rows; ++row) {
    for (int64_t cell = 0; cell < sizes.cells; ++cell) {
      const bool seen = cell < 2 * prefix ? cell / prefix == row % 2 : cell % sizes.rows == row;
      if (seen) mask[row * sizes.cells + cell] = 0;
    }
  }
  return mask;
}

inline ggml_backend_dev_t accel_device() { return ggml_backend_dev_by_name("spct"); }

using GgmlContext = std::unique_ptr<ggml_context, decltype(&ggml_free)>;

inline GgmlContext new_context() { return {ggml_init({size_t{1} << 20, nullptr, /*no_alloc=*/true}), ggml_free}; }

// A weight of noise that gives queries, and keys and values of noise: all heads of a cell lie together.
class AttentionCase {
 public:
  AttentionCase(const AttentionSizes& given, const std::vector<float>& mask_values) : sizes(given) {
    constexpr int64_t columns = 64;
    ggml_context* inputs = inputs_.get();
    weight = ggml_new_tensor_2d(inputs, GGML_TYPE_F32, columns, sizes.width * sizes.heads);
    rows = ggml_new_tensor_2d(inputs, GGML_TYPE_F32, columns, sizes.rows);
    keys = ggml_new_tensor_3d(inputs, GGML_TYPE_F16, sizes.width, sizes.kv_heads, sizes.cells);
    values = ggml_new_tensor_3d(inputs, GGML_TYPE_F16, sizes.width, sizes.kv_heads, sizes.cells);
    mask = ggml_new_tensor_2d(inputs, GGML_TYPE_F16, sizes.cells, sizes.rows);
    buffer_.reset(ggml_backend_alloc_ctx_tensors_from_buft(inputs, ggml_backend_cpu_buffer_type()));
    ggml_backend_buffer_set_usage(buffer_.get(), GGML_BACKEND_BUFFER_USAGE_WEIGHTS);
    uint32_t seed = 1;
    for (ggml_tensor* tensor : {weight, rows, keys, values}) fill(tensor, seed++);
    ggml_fp32_to_fp16_row(mask_values.data(), static_cast<ggml_fp16_t*>(mask->data), ggml_nelements(mask));
  }

  float scale() const { return 1 / std::sqrt(static_cast<float>(sizes.width)); }

  const AttentionSizes sizes;
  ggml_tensor *weight, *rows, *keys, *values, *mask;

 private:
  using Buffer = std::unique_ptr<ggml_backend_buffer, decltype(&ggml_backend_buffer_free)>;

  static void fill(ggml_tensor* tensor, uint32_t seed) {
    const std::vector<float> floats = noise(ggml_nelements(tensor), seed);
    if (tensor->type == GGML_TYPE_F32) return ggml_backend_tensor_set(tensor, floats.data(), 0, ggml_nbytes(tensor));
    ggml_fp32_to_fp16_row(floats.data(), static_cast<ggml_fp16_t*>(tensor->data), ggml_nelements(tensor));
  }

  GgmlContext inputs_ = new_context();
  Buffer buffer_{nullptr, ggml_backend_buffer_free};
};

// The queries of a case, normalized, and their attention.
struct AttentionNodes {
  GgmlContext context = new_context();
  ggml_tensor *query, *out;

  explicit AttentionNodes(const AttentionCase& given) {
    ggml_context* graph = context.get();
    query = ggml_mul_mat(graph, given.weight, given.rows);
    query = ggml_reshape_3d(graph, query, given.sizes.width, given.sizes.heads, given.sizes.rows);
    query = ggml_rms_norm(graph, query, 1e-6f);
    ggml_set_output(query);
    out = attention(given, query, given.keys, given.mask, 0);
    ggml_prec_set_acc(out, GGML_PREC_F32);
  }

  ggml_tensor* attention(const AttentionCase& given, ggml_tensor* from, ggml_tensor* keys, ggml_tensor* mask,
                         float bias) const {
    ggml_context* graph = context.get();
    return ggml_flash_attn_ext(graph, ggml_permute(graph, from, 0, 2, 1, 3), ggml_permute(graph, keys, 0, 2, 1, 3),
                               ggml_permute(graph, given.values, 0, 2, 1, 3), mask, given.scale(), bias,
                               given.sizes.softcap);
  }
};

// A case ready to be computed, as often as wanted.
class AttentionRun {
 public:
  AttentionRun(const AttentionCase& given, int threads) : nodes_(given) {
    ggml_backend_t backends[] = {ours_.get(), cpu_.get()};
    for (ggml_backend_t backend : backends) {
      ggml_backend_reg_t reg = ggml_backend_dev_backend_reg(ggml_backend_get_device(backend));
      void* function = ggml_backend_reg_get_proc_address(reg, "ggml_backend_set_n_threads");
      reinterpret_cast<ggml_backend_set_n_threads_t>(function)(backend, threads);
    }
    scheduler_.reset(ggml_backend_sched_new(backends, nullptr, 2, 64, false, true));
    graph_ = ggml_new_graph(nodes_.context.get());
    ggml_build_forward_expand(graph_, nodes_.out);
    if (!ggml_backend_sched_alloc_graph(scheduler_.get(), graph_)) throw std::runtime_error("no memory for the graph");
  }

  void compute() {
    if (ggml_backend_sched_graph_compute(scheduler_.get(), graph_) != GGML_STATUS_SUCCESS) {
      throw std::runtime_error("the attention failed");
    }
  }

  const ggml_tensor* node() const { return nodes_.out; }
  int splits() const { return ggml_backend_sched_get_n_splits(scheduler_.get()); }
  std::vector<float> query() const { return values(nodes_.query); }  // [rows][heads][width]
  std::vector<float> out() const { return values(nodes_.out); }      // [rows][heads][width]

 private:
  using Backend = std::unique_ptr<ggml_backend, decltype(&ggml_backend_free)>;
  using Scheduler = std::unique_ptr<ggml_backend_sched, decltype(&ggml_backend_sched_free)>;

  static std::vector<float> values(const ggml_tensor* tensor) {
    std::vector<float> floats(ggml_nelements(tensor));
    ggml_backend_tensor_get(tensor, floats.data(), 0, ggml_nbytes(tensor));
    return floats;
  }

  AttentionNodes nodes_;
  Backend ours_{ggml_backend_dev_init(accel_device(), nullptr), ggml_backend_free};
  Backend cpu_{ggml_backend_cpu_init(), ggml_backend_free};
  Scheduler scheduler_{nullptr, ggml_backend_sched_free};
  ggml_cgraph* graph_;
};

}  // namespace spct
