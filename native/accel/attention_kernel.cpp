#include "accel/attention_kernel.h"

namespace spct {

extern const AttentionKernel attention_kernel_avx2;
extern const AttentionKernel attention_kernel_avx512;

std::vector<const AttentionKernel*> available_attention_kernels() {
  std::vector<const AttentionKernel*> available;
  const auto has = [](auto... supported) { return (supported && ...); };
  if (has(__builtin_cpu_supports("avx2"), __builtin_cpu_supports("fma"), __builtin_cpu_supports("f16c"))) {
    available.push_back(&attention_kernel_avx2);
  }
  if (has(__builtin_cpu_supports("avx512f"), __builtin_cpu_supports("avx512bw"), __builtin_cpu_supports("avx512dq"),
          __builtin_cpu_supports("avx512vl"))) {
    available.push_back(&attention_kernel_avx512);
  }
  return available;
}

const AttentionKernel* attention_kernel() {
  static const auto available = available_attention_kernels();
  return available.empty() ? nullptr : available.back();
}

size_t attention_scratch(const AttentionShape& shape) {
  constexpr int64_t lanes = attention_lanes, block = attention_block, together = attention_together;
  const int64_t doubles =
      shape.value_width * (lanes + together) + block * (shape.value_width + attention_padding + lanes) + lanes;
  const int64_t floats = shape.key_width * (lanes + block) + block * lanes + lanes;
  return doubles + floats / 2;
}

}  // namespace spct
