// Compiled for AVX2, FMA and F16C, called only where the processor has them.
#include "accel/attention_kernel_simd.h"
#include "accel/floats_avx2.h"
#include "accel/transposed_halves.h"

namespace spct {
namespace {

struct Avx2 : Avx2Floats {
  static constexpr int most_vectors = 2;
  static constexpr int rows_at_once(int vectors) { return vectors == 1 ? 8 : 6; }
  using Doubles = __m256d;
  using Mask = __m256;  // the sign bits

  using Avx2Floats::fused, Avx2Floats::load, Avx2Floats::load_kept, Avx2Floats::set, Avx2Floats::store;
  static Doubles load(const double* from) { return _mm256_loadu_pd(from); }
  static Doubles load_kept(const double* from) {
    Doubles a = load(from);
    __asm__("" : "+x"(a));
    return a;
  }
  static void store(double* to, Doubles a) { _mm256_storeu_pd(to, a); }
  static Doubles set(double value) { return _mm256_set1_pd(value); }
  static Doubles add(Doubles a, Doubles b) { return _mm256_add_pd(a, b); }
  static Doubles multiply(Doubles a, Doubles b) { return _mm256_mul_pd(a, b); }
  static Doubles fused(Doubles a, Doubles b, Doubles c) { return _mm256_fmadd_pd(a, b, c); }
  static Doubles low(Floats a) { return _mm256_cvtps_pd(_mm256_castps256_ps128(a)); }
  static Doubles high(Floats a) { return _mm256_cvtps_pd(_mm256_extractf128_ps(a, 1)); }
  static Floats narrowed(Doubles low, Doubles high) {
    return _mm256_set_m128(_mm256_cvtpd_ps(high), _mm256_cvtpd_ps(low));
  }
  static double reduce_sum(Doubles a) {
    const __m128d sum = _mm_add_pd(_mm256_castpd256_pd128(a), _mm256_extractf128_pd(a, 1));
    return _mm_cvtsd_f64(_mm_add_sd(sum, _mm_unpackhi_pd(sum, sum)));
  }

  static void load_columns(const char* const* rows, int64_t at, Floats* columns) {
    __m128i halves[8];
    load_transposed_halves(rows, at, halves);
    for (int i = 0; i < 8; ++i) columns[i] = _mm256_cvtph_ps(halves[i]);
  }
  static Floats load_half(const char* from) {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
  }
  static Floats add(Floats a, Floats b) { return _mm256_add_ps(a, b); }
  static Floats subtract(Floats a, Floats b) { return _mm256_sub_ps(a, b); }
  static Floats multiply(Floats a, Floats b) { return _mm256_mul_ps(a, b); }
  static Floats divide(Floats a, Floats b) { return _mm256_div_ps(a, b); }
  static Floats minimum(Floats a, Floats b) { return _mm256_min_ps(a, b); }
  static Floats maximum(Floats a, Floats b) { return _mm256_max_ps(a, b); }
  static Floats fused_negative(Floats a, Floats b, Floats c) { return _mm256_fnmadd_ps(a, b, c); }
  static Floats round(Floats a) { return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }

  // In two steps, as 2^power may be below every float. power: -250 to 250.
  static Floats times_power_of_two(Floats a, Floats power) {
    const __m256i whole = _mm256_cvtps_epi32(power);
    const __m256i half = _mm256_srai_epi32(whole, 1);
    return multiply(multiply(a, power_of_two(half)), power_of_two(_mm256_sub_epi32(whole, half)));
  }

  static float reduce_maximum(Floats a) {
    __m128 largest = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    largest = _mm_max_ps(largest, _mm_movehl_ps(largest, largest));
    return _mm_cvtss_f32(_mm_max_ss(largest, _mm_movehdup_ps(largest)));
  }
  static float first(Floats a) { return _mm256_cvtss_f32(a); }
  static Floats select(Mask mask, Floats clear, Floats set) { return _mm256_blendv_ps(clear, set, mask); }
  static Mask greater(Floats a, Floats b) { return _mm256_cmp_ps(a, b, _CMP_GT_OQ); }
  static bool any(Mask mask) { return _mm256_movemask_ps(mask) != 0; }
  static Mask first_lanes(int64_t count) {
    const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int32_t>(count)), lanes));
  }

  class LaneBits {
   public:
    explicit LaneBits(const uint64_t* bits) {
      const __m256i even_first = _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7);
      const auto* from = reinterpret_cast<const __m256i*>(bits);
      const __m256i a = _mm256_permutevar8x32_epi32(_mm256_loadu_si256(from), even_first);
      const __m256i b = _mm256_permutevar8x32_epi32(_mm256_loadu_si256(from + 1), even_first);
      low_ = _mm256_permute2x128_si256(a, b, 0x20);
      high_ = _mm256_permute2x128_si256(a, b, 0x31);
    }
    bool all() const { return _mm256_testc_si256(_mm256_and_si256(low_, high_), _mm256_set1_epi32(-1)) != 0; }
    Mask of(int64_t cell) const {
      const __m128i to_sign = _mm_cvtsi32_si128(static_cast<int32_t>(31 - cell % 32));
      return _mm256_castsi256_ps(_mm256_sll_epi32(cell < 32 ? low_ : high_, to_sign));
    }

   private:
    __m256i low_, high_;  // of each lane's 64 bits
  };

  static uint64_t visible_cells(const uint16_t* mask, int64_t count) {
    constexpr int64_t at_once = 16;
    const __m256i hidden = _mm256_set1_epi16(static_cast<int16_t>(attention_hidden));
    uint64_t bits = 0;
    int64_t i = 0;
    for (; i + at_once <= count; i += at_once) {
      const __m256i entries = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(mask + i));
      const __m256i equal = _mm256_cmpeq_epi16(entries, hidden);
      const __m128i bytes = _mm_packs_epi16(_mm256_castsi256_si128(equal), _mm256_extracti128_si256(equal, 1));
      bits |= uint64_t{~static_cast<uint32_t>(_mm_movemask_epi8(bytes)) & 0xffffu} << i;
    }
    for (; i < count; ++i) bits |= uint64_t{mask[i] != attention_hidden} << i;
    return bits;
  }

 private:
  static Floats power_of_two(__m256i exponent) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(exponent, _mm256_set1_epi32(127)), 23));
  }
};

}  // namespace

extern const AttentionKernel attention_kernel_avx2 = AttentionLoops<Avx2>::table("AVX2");

}  // namespace spct
