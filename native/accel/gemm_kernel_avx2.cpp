// Compiled for AVX2 and FMA, called only where the processor has them.
#include <immintrin.h>

#include "accel/gemm_kernel_simd.h"

namespace spct {
namespace {

struct Avx2 {
  static constexpr int64_t width = 8;
  static constexpr int rows_at_once = 6;
  using Floats = __m256;

  static Floats load(const float* from) { return _mm256_loadu_ps(from); }
  // Compilers would rather load it again for each use, and run out of loads.
  static Floats load_kept(const float* from) {
    Floats a = load(from);
    __asm__("" : "+x"(a));
    return a;
  }
  static void store(float* to, Floats a) { _mm256_storeu_ps(to, a); }
  static Floats set(float value) { return _mm256_set1_ps(value); }
  static Floats fused(Floats a, Floats b, Floats c) { return _mm256_fmadd_ps(a, b, c); }
  static void prefetch(const void* from) { _mm_prefetch(static_cast<const char*>(from), _MM_HINT_T0); }
  static void load_pairs(const uint16_t* from, Floats& first, Floats& second) {
    const __m256i pairs = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
    first = _mm256_castsi256_ps(_mm256_slli_epi32(pairs, 16));
    second = _mm256_and_ps(_mm256_castsi256_ps(pairs), _mm256_castsi256_ps(_mm256_set1_epi32(-0x10000)));
  }
};

}  // namespace

extern const GemmKernel gemm_kernel_avx2 = GemmLoops<Avx2>::table("AVX2");

}  // namespace spct
