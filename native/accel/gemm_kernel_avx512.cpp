// Compiled for AVX-512 F, called only where the processor has it.
#include "accel/floats_avx512.h"
#include "accel/gemm_kernel_simd.h"

namespace spct {
namespace {

struct Avx512 : Avx512Floats {
  static constexpr int rows_at_once = 8;

  static void load_pairs(const uint16_t* from, Floats& first, Floats& second) {
    const __m512i pairs = _mm512_loadu_si512(from);
    first = _mm512_castsi512_ps(_mm512_slli_epi32(pairs, 16));
    second = _mm512_castsi512_ps(_mm512_and_si512(pairs, _mm512_set1_epi32(-0x10000)));
  }
};

}  // namespace

extern const GemmKernel gemm_kernel_avx512 = GemmLoops<Avx512>::table("AVX-512");

}  // namespace spct
