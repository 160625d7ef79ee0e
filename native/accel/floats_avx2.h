#pragma once

// The loops of attention and of products over Avx2 floats: what both need. For the files that are compiled for it.

#include <immintrin.h>

#include <cstdint>

namespace spct {
namespace {

struct Avx2Floats {
  static constexpr int64_t width = 8;
  using Floats = __m256;

  static Floats load(const float* from) { return _mm256_loadu_ps(from); }
  // Compilers would rather load it again for each use, and run out of loads.
  static Floats load_kept(const float* from) {
    Floats a = load(from);
    __asm__("" : "+x"(a));
    return a;
  }
  static void prefetch(const void* from) { _mm_prefetch(static_cast<const char*>(from), _MM_HINT_T0); }
  static void store(float* to, Floats a) { _mm256_storeu_ps(to, a); }
  static Floats set(float value) { return _mm256_set1_ps(value); }
  static Floats fused(Floats a, Floats b, Floats c) { return _mm256_fmadd_ps(a, b, c); }
};

}  // namespace
}  // namespace spct
