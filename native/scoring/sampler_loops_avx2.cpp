// Compiled for AVX2, called only where the processor has it.
#include <immintrin.h>

#include "scoring/sampler_loops_simd.h"

namespace spct {
namespace {

// For every mask of 8 lanes, the lanes that are set, in order.
struct SetLanes {
  uint8_t lane[256][8] = {};
};

constexpr SetLanes list_set_lanes() {
  SetLanes table;
  for (int mask = 0; mask < 256; ++mask) {
    int count = 0;
    for (int lane = 0; lane < 8; ++lane) {
      if (mask >> lane & 1) table.lane[mask][count++] = static_cast<uint8_t>(lane);
    }
  }
  return table;
}

constexpr SetLanes set_lanes = list_set_lanes();

struct Avx2 {
  static constexpr int32_t width = 8;
  static constexpr uint64_t bias = round_to_long_bits;
  using Floats = __m256;
  using Longs = __m256i;

  static void prefetch(const float* from) { _mm_prefetch(reinterpret_cast<const char*>(from), _MM_HINT_T0); }
  static Floats load(const float* from) { return _mm256_loadu_ps(from); }
  static Floats broadcast(float value) { return _mm256_set1_ps(value); }
  static Floats add(Floats a, Floats b) { return _mm256_add_ps(a, b); }
  static Floats subtract(Floats a, Floats b) { return _mm256_sub_ps(a, b); }
  static Floats multiply(Floats a, Floats b) { return _mm256_mul_ps(a, b); }
  static Floats maximum(Floats a, Floats b) { return _mm256_max_ps(a, b); }
  static bool unordered(Floats a, Floats b) { return _mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_UNORD_Q)) != 0; }

  static float reduce_maximum(Floats a) {
    __m128 half = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    half = _mm_max_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_max_ss(half, _mm_movehdup_ps(half)));
  }

  static Floats times_power_of_two(Floats power, Floats shifted) {
    const __m256i exponent = _mm256_slli_epi32(_mm256_castps_si256(shifted), 23);
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(power), exponent));
  }

  static Longs to_biased_longs(__m128 a) {
    return _mm256_castpd_si256(_mm256_add_pd(_mm256_cvtps_pd(a), _mm256_set1_pd(round_to_long)));
  }
  static void to_longs(Floats a, Longs& low, Longs& high) {
    low = to_biased_longs(_mm256_castps256_ps128(a));
    high = to_biased_longs(_mm256_extractf128_ps(a, 1));
  }
  static Longs zero() { return _mm256_setzero_si256(); }
  static Longs add_longs(Longs a, Longs b) { return _mm256_add_epi64(a, b); }
  static uint64_t reduce_sum(Longs a) {
    const __m128i half = _mm_add_epi64(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
    return static_cast<uint64_t>(_mm_cvtsi128_si64(half)) + static_cast<uint64_t>(_mm_extract_epi64(half, 1));
  }
  static void store_without_bias(uint64_t* to, Longs a) {
    const Longs unbiased = _mm256_sub_epi64(a, _mm256_set1_epi64x(static_cast<int64_t>(bias)));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), unbiased);
  }

  static int32_t append(Floats logits, Floats threshold, int32_t first, int32_t* ids, float* values) {
    const int kept = _mm256_movemask_ps(_mm256_cmp_ps(logits, threshold, _CMP_GE_OQ));
    if (kept == 0) return 0;
    const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(set_lanes.lane[kept]));
    const __m256i lanes = _mm256_cvtepu8_epi32(bytes);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(ids), _mm256_add_epi32(lanes, _mm256_set1_epi32(first)));
    _mm256_storeu_ps(values, _mm256_permutevar8x32_ps(logits, lanes));
    return __builtin_popcount(static_cast<unsigned>(kept));
  }
};

}  // namespace

extern const SamplerLoops sampler_loops_avx2 = SimdLoops<Avx2>::table("AVX2");

}  // namespace spct
