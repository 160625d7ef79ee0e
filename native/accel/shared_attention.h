#pragma once

#include <cstdint>
#include <vector>

struct ggml_tensor;

namespace spct {

struct AttentionKernel;

// Attention (FLASH_ATTN_EXT) of many rows over KV cells most of which many rows see: the prefix of the samples of a
// query. ggml's kernel goes through the cells once for each row and head. Here a block of cells meets all rows and
// heads that read it at once, as a product of matrices; cells that few rows see are gone through for each. A row has
// the same bits whatever the others see and wherever its cells lie. Uses one thread and its OpenMP team.
class SharedAttention {
 public:
  explicit SharedAttention(const AttentionKernel& kernel) : kernel_(kernel) {}

  // Whether run() can compute the node: F16 keys and values in the CPU's memory, a mask that hides cells and nothing
  // else, no sinks, one stream.
  static bool accepts(const ggml_tensor* node);

  void set_threads(int threads) { threads_ = threads; }

  // Throws std::bad_alloc.
  void run(const ggml_tensor* node);

 private:
  const AttentionKernel& kernel_;
  std::vector<uint64_t> visible_;  // [rows][blocks], a bit for each cell
  std::vector<int32_t> rows_;      // in the order in which they share lanes
  std::vector<double> scratch_;    // for each thread
  std::vector<uint8_t> dense_;     // [threads][blocks]
  int threads_ = 1;
};

}  // namespace spct
