#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace spct {

constexpr int64_t attention_lanes = 64;         // query vectors (row and head) at once
constexpr int64_t attention_vector = 16;        // values of the widest SIMD vector
constexpr int64_t attention_block = 64;         // KV cells at once
constexpr int64_t attention_list_length = 256;  // cells of one row at once
constexpr int64_t attention_together = 4;       // lanes of that row at once
constexpr int64_t attention_padding = 8;        // a power of two from row to row would meet itself in the cache
constexpr uint16_t attention_hidden = 0xfc00;   // minus infinity in F16

struct AttentionShape {
  int64_t key_width, value_width;  // multiples of 16
  int64_t cells, blocks;           // blocks = cells / 64, rounded up
  float scale, softcap;            // softcap 0: none
};

// The query vectors of some rows that read one KV head. `lanes` <= attention_lanes.
struct AttentionTask {
  int64_t lanes;
  const float* query[attention_lanes];       // [key_width]
  float* out[attention_lanes];               // [value_width]
  const uint64_t* visible[attention_lanes];  // [blocks]
  const char *keys, *values;                 // of the first cell, F16
  size_t key_stride, value_stride;           // bytes from cell to cell
  uint8_t* dense;                            // [blocks], to work in
};

// Doubles that a task needs to work in.
size_t attention_scratch(const AttentionShape& shape);

// The attention for one instruction set.
struct AttentionKernel {
  const char* name;
  // Those of 64 F16 mask entries that are not attention_hidden. `count` <= 64 of them are there.
  uint64_t (*visible_cells)(const uint16_t* mask, int64_t count);
  void (*attend)(const AttentionShape& shape, const AttentionTask& task, double* scratch);
};

// The fastest that this processor can run; null where there is none.
const AttentionKernel* attention_kernel();

// Every one in this build that this processor can run, the fastest last.
std::vector<const AttentionKernel*> available_attention_kernels();

}  // namespace spct
