// Compiled for AVX2 and FMA, called only where the processor has them.
#include "accel/floats_avx2.h"
#include "accel/gemm_kernel_simd.h"

namespace spct {
namespace {

struct Avx2 : Avx2Floats {
  static constexpr int rows_at_once = 6;

  static void load_pairs(const uint16_t* from, Floats& first, Floats& second) {
    const __m256i pairs = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
    first = _mm256_castsi256_ps(_mm256_slli_epi32(pairs, 16));
    second = _mm256_and_ps(_mm256_castsi256_ps(pairs), _mm256_castsi256_ps(_mm256_set1_epi32(-0x10000)));
  }
};

}  // namespace

extern const GemmKernel gemm_kernel_avx2 = GemmLoops<Avx2>::table("AVX2");

}  // namespace spct
