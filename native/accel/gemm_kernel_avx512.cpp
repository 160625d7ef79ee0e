// Compiled for AVX-512 F, called only where the processor has it.
#include <immintrin.h>

#include "accel/gemm_kernel_simd.h"

namespace spct {
namespace {

struct Avx512 {
  static constexpr int64_t width = 16;
  static constexpr int rows_at_once = 8;
  using Floats = __m512;

  static Floats load(const float* from) { return _mm512_loadu_ps(from); }
  // Compilers would rather load it again for each use, and run out of loads.
  static Floats load_kept(const float* from) {
    Floats a = load(from);
    __asm__("" : "+v"(a));
    return a;
  }
  static void store(float* to, Floats a) { _mm512_storeu_ps(to, a); }
  static Floats set(float value) { return _mm512_set1_ps(value); }
  static Floats fused(Floats a, Floats b, Floats c) { return _mm512_fmadd_ps(a, b, c); }
  static void prefetch(const void* from) { _mm_prefetch(static_cast<const char*>(from), _MM_HINT_T0); }
  static void load_pairs(const uint16_t* from, Floats& first, Floats& second) {
    const __m512i pairs = _mm512_loadu_si512(from);
    first = _mm512_castsi512_ps(_mm512_slli_epi32(pairs, 16));
    second = _mm512_castsi512_ps(_mm512_and_si512(pairs, _mm512_set1_epi32(-0x10000)));
  }
};

}  // namespace

extern const GemmKernel gemm_kernel_avx512 = GemmLoops<Avx512>::table("AVX-512");

}  // namespace spct
