// Compiled for AArch64, where every processor has NEON.
#include <arm_neon.h>

#include "scoring/sampler_loops_simd.h"

namespace spct {
namespace {

struct Neon {
  static constexpr int32_t width = 4;
  static constexpr uint64_t bias = 0;
  using Floats = float32x4_t;
  using Longs = uint64x2_t;

  static void prefetch(const float*) {}
  static Floats load(const float* from) { return vld1q_f32(from); }
  static Floats broadcast(float value) { return vdupq_n_f32(value); }
  static Floats add(Floats a, Floats b) { return vaddq_f32(a, b); }
  static Floats subtract(Floats a, Floats b) { return vsubq_f32(a, b); }
  static Floats multiply(Floats a, Floats b) { return vmulq_f32(a, b); }
  static Floats maximum(Floats a, Floats b) { return vmaxq_f32(a, b); }
  static bool unordered(Floats a, Floats b) {
    const uint32x4_t ordered = vandq_u32(vceqq_f32(a, a), vceqq_f32(b, b));
    return vminvq_u32(ordered) == 0;
  }
  static float reduce_maximum(Floats a) { return vmaxvq_f32(a); }

  static Floats times_power_of_two(Floats power, Floats shifted) {
    const uint32x4_t exponent = vshlq_n_u32(vreinterpretq_u32_f32(shifted), 23);
    return vreinterpretq_f32_u32(vaddq_u32(vreinterpretq_u32_f32(power), exponent));
  }

  static void to_longs(Floats a, Longs& low, Longs& high) {
    low = vcvtnq_u64_f64(vcvt_f64_f32(vget_low_f32(a)));
    high = vcvtnq_u64_f64(vcvt_high_f64_f32(a));
  }
  static Longs zero() { return vdupq_n_u64(0); }
  static Longs add_longs(Longs a, Longs b) { return vaddq_u64(a, b); }
  static uint64_t reduce_sum(Longs a) { return vaddvq_u64(a); }
  static void store_without_bias(uint64_t* to, Longs a) { vst1q_u64(to, a); }

  static int32_t append(Floats logits, Floats threshold, int32_t first, int32_t* ids, float* values) {
    const uint32x4_t kept = vcgeq_f32(logits, threshold);
    if (vmaxvq_u32(kept) == 0) return 0;
    uint32_t lanes[4];
    float all[4];
    vst1q_u32(lanes, vshrq_n_u32(kept, 31));
    vst1q_f32(all, logits);
    int32_t count = 0;
    for (int32_t lane = 0; lane < 4; ++lane) {
      ids[count] = first + lane;
      values[count] = all[lane];
      count += static_cast<int32_t>(lanes[lane]);
    }
    return count;
  }
};

}  // namespace

extern const SamplerLoops sampler_loops_neon = SimdLoops<Neon>::table("NEON");

}  // namespace spct
