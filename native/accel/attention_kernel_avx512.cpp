// Compiled for AVX-512 F, BW, DQ and VL, called only where the processor has them.
#include "accel/attention_kernel_simd.h"
#include "accel/floats_avx512.h"
#include "accel/transposed_halves.h"

namespace spct {
namespace {

struct Avx512 : Avx512Floats {
  static constexpr int most_vectors = 4;
  static constexpr int rows_at_once(int vectors) { return vectors < 4 ? 8 : 4; }
  using Doubles = __m512d;
  using Mask = __mmask16;

  using Avx512Floats::fused, Avx512Floats::load, Avx512Floats::load_kept, Avx512Floats::set, Avx512Floats::store;
  static Doubles load(const double* from) { return _mm512_loadu_pd(from); }
  static Doubles load_kept(const double* from) {
    Doubles a = load(from);
    __asm__("" : "+v"(a));
    return a;
  }
  static void store(double* to, Doubles a) { _mm512_storeu_pd(to, a); }
  static Doubles set(double value) { return _mm512_set1_pd(value); }
  static Doubles add(Doubles a, Doubles b) { return _mm512_add_pd(a, b); }
  static Doubles multiply(Doubles a, Doubles b) { return _mm512_mul_pd(a, b); }
  static Doubles fused(Doubles a, Doubles b, Doubles c) { return _mm512_fmadd_pd(a, b, c); }
  static Doubles low(Floats a) { return _mm512_cvtps_pd(_mm512_castps512_ps256(a)); }
  static Doubles high(Floats a) { return _mm512_cvtps_pd(_mm512_extractf32x8_ps(a, 1)); }
  static Floats narrowed(Doubles low, Doubles high) {
    return _mm512_insertf32x8(_mm512_castps256_ps512(_mm512_cvtpd_ps(low)), _mm512_cvtpd_ps(high), 1);
  }
  static double reduce_sum(Doubles a) { return _mm512_reduce_add_pd(a); }

  static void load_columns(const char* const* rows, int64_t at, Floats* columns) {
    __m128i low[8], high[8];
    load_transposed_halves(rows, at, low);
    load_transposed_halves(rows + 8, at, high);
    for (int i = 0; i < 8; ++i) {
      columns[i] = _mm512_cvtph_ps(_mm256_inserti128_si256(_mm256_castsi128_si256(low[i]), high[i], 1));
    }
  }
  static Floats load_half(const char* from) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
  }
  static Floats add(Floats a, Floats b) { return _mm512_add_ps(a, b); }
  static Floats subtract(Floats a, Floats b) { return _mm512_sub_ps(a, b); }
  static Floats multiply(Floats a, Floats b) { return _mm512_mul_ps(a, b); }
  static Floats divide(Floats a, Floats b) { return _mm512_div_ps(a, b); }
  static Floats minimum(Floats a, Floats b) { return _mm512_min_ps(a, b); }
  static Floats maximum(Floats a, Floats b) { return _mm512_max_ps(a, b); }
  static Floats fused_negative(Floats a, Floats b, Floats c) { return _mm512_fnmadd_ps(a, b, c); }
  static Floats round(Floats a) { return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
  static Floats times_power_of_two(Floats a, Floats power) { return _mm512_scalef_ps(a, power); }
  static float reduce_maximum(Floats a) { return _mm512_reduce_max_ps(a); }
  static float first(Floats a) { return _mm512_cvtss_f32(a); }
  static Floats select(Mask mask, Floats clear, Floats set) { return _mm512_mask_blend_ps(mask, clear, set); }
  static Mask greater(Floats a, Floats b) { return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ); }
  static bool any(Mask mask) { return mask != 0; }
  static Mask first_lanes(int64_t count) { return static_cast<Mask>((1u << count) - 1); }

  class LaneBits {
   public:
    explicit LaneBits(const uint64_t* bits) : low_(_mm512_loadu_si512(bits)), high_(_mm512_loadu_si512(bits + 8)) {}
    bool all() const { return _mm512_reduce_and_epi64(_mm512_and_si512(low_, high_)) == -1; }
    Mask of(int64_t cell) const {
      const __m512i bit = _mm512_set1_epi64(static_cast<int64_t>(uint64_t{1} << cell));
      return static_cast<Mask>(_mm512_test_epi64_mask(low_, bit) | _mm512_test_epi64_mask(high_, bit) << 8);
    }

   private:
    __m512i low_, high_;
  };

  static uint64_t visible_cells(const uint16_t* mask, int64_t count) {
    constexpr int64_t at_once = 32;
    const __m512i hidden = _mm512_set1_epi16(static_cast<int16_t>(attention_hidden));
    uint64_t bits = 0;
    for (int64_t i = 0; i < count; i += at_once) {
      const __mmask32 there = count - i < at_once ? (__mmask32{1} << (count - i)) - 1 : ~__mmask32{0};
      const __m512i entries = _mm512_maskz_loadu_epi16(there, mask + i);
      bits |= uint64_t{_mm512_mask_cmpneq_epi16_mask(there, entries, hidden)} << i;
    }
    return bits;
  }
};

}  // namespace

extern const AttentionKernel attention_kernel_avx512 = AttentionLoops<Avx512>::table("AVX-512");

}  // namespace spct
