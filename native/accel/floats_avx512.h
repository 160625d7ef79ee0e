#pragma once

// The loops of attention and of products over AVX-512 floats: what both need. For the files that are compiled for it.

#include <immintrin.h>

#include <cstdint>

namespace spct {
namespace {

struct Avx512Floats {
  static constexpr int64_t width = 16;
  using Floats = __m512;

  static Floats load(const float* from) { return _mm512_loadu_ps(from); }
  // Compilers would rather load it again for each use, and run out of loads.
  static Floats load_kept(const float* from) {
    Floats a = load(from);
    __asm__("" : "+v"(a));
    return a;
  }
  static void prefetch(const void* from) { _mm_prefetch(static_cast<const char*>(from), _MM_HINT_T0); }
  static void store(float* to, Floats a) { _mm512_storeu_ps(to, a); }
  static Floats set(float value) { return _mm512_set1_ps(value); }
  static Floats fused(Floats a, Floats b, Floats c) { return _mm512_fmadd_ps(a, b, c); }
};

}  // namespace
}  // namespace spct
