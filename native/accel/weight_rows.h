#pragma once

#include <ggml.h>

#include <cstdint>
#include <cstring>

namespace spct {

// Whether a copy of the weight is bfloat16, not F32.
inline bool packs_as_bf16(const ggml_tensor* weight) {
  return weight->type == GGML_TYPE_BF16 || ggml_is_quantized(weight->type);
}

// out: [weight->ne[0]].
inline void row_to_float(const ggml_tensor* weight, int64_t row, float* out) {
  const char* from = static_cast<const char*>(weight->data) + row * weight->nb[1];
  if (weight->type == GGML_TYPE_F32) {
    std::memcpy(out, from, weight->ne[0] * sizeof(float));
  } else {
    ggml_get_type_traits(weight->type)->to_float(from, out, weight->ne[0]);
  }
}

// Rounds to the nearest, ties to even. What is no number stays none.
inline uint16_t to_bf16(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  const uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
  const bool is_nan = (bits & 0x7fffffff) > 0x7f800000;
  return static_cast<uint16_t>(is_nan ? bits >> 16 | 0x40 : rounded);
}

}  // namespace spct
