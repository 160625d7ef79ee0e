// Compiled for AVX-512 F and DQ, called only where the processor has them.
#include <immintrin.h>

#include "scoring/sampler_loops_simd.h"

namespace spct {
namespace {

struct Avx512 {
  static constexpr int32_t width = 16;
  static constexpr uint64_t bias = 0;
  using Floats = __m512;
  using Longs = __m512i;

  static void prefetch(const float* from) { _mm_prefetch(reinterpret_cast<const char*>(from), _MM_HINT_T0); }
  static Floats load(const float* from) { return _mm512_loadu_ps(from); }
  static Floats broadcast(float value) { return _mm512_set1_ps(value); }
  static Floats add(Floats a, Floats b) { return _mm512_add_ps(a, b); }
  static Floats subtract(Floats a, Floats b) { return _mm512_sub_ps(a, b); }
  static Floats multiply(Floats a, Floats b) { return _mm512_mul_ps(a, b); }
  static Floats maximum(Floats a, Floats b) { return _mm512_max_ps(a, b); }
  static bool unordered(Floats a, Floats b) { return _mm512_cmp_ps_mask(a, b, _CMP_UNORD_Q) != 0; }
  static float reduce_maximum(Floats a) { return _mm512_reduce_max_ps(a); }

  static Floats times_power_of_two(Floats power, Floats shifted) {
    const __m512i exponent = _mm512_slli_epi32(_mm512_castps_si512(shifted), 23);
    return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(power), exponent));
  }

  static void to_longs(Floats a, Longs& low, Longs& high) {
    low = _mm512_cvtps_epi64(_mm512_castps512_ps256(a));
    high = _mm512_cvtps_epi64(_mm512_extractf32x8_ps(a, 1));
  }
  static Longs zero() { return _mm512_setzero_si512(); }
  static Longs add_longs(Longs a, Longs b) { return _mm512_add_epi64(a, b); }
  static uint64_t reduce_sum(Longs a) { return static_cast<uint64_t>(_mm512_reduce_add_epi64(a)); }
  static void store_without_bias(uint64_t* to, Longs a) { _mm512_storeu_si512(to, a); }

  static int32_t append(Floats logits, Floats threshold, int32_t first, int32_t* ids, float* values) {
    const __mmask16 kept = _mm512_cmp_ps_mask(logits, threshold, _CMP_GE_OQ);
    if (kept == 0) return 0;
    const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    // A compress to a register: the one to memory is microcode on some processors.
    _mm512_storeu_si512(ids, _mm512_maskz_compress_epi32(kept, _mm512_add_epi32(lanes, _mm512_set1_epi32(first))));
    _mm512_storeu_ps(values, _mm512_maskz_compress_ps(kept, logits));
    return __builtin_popcount(kept);
  }
};

}  // namespace

extern const SamplerLoops sampler_loops_avx512 = SimdLoops<Avx512>::table("AVX-512");

}  // namespace spct
