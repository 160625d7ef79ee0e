#pragma once

// Columns of rows of 16-bit values, for the files that compile it for one instruction set each.

#include <immintrin.h>

#include <cstdint>

namespace spct {
namespace {

// columns[i] holds value i of the eight rows, from `at` bytes on.
inline void load_transposed_halves(const char* const* rows, int64_t at, __m128i* columns) {
  __m128i row[8], pairs[8], fours[8];
  for (int i = 0; i < 8; ++i) row[i] = _mm_loadu_si128(reinterpret_cast<const __m128i*>(rows[i] + at));
  for (int i = 0; i < 8; i += 2) {  // of values 0-3, then of 4-7
    pairs[i / 2] = _mm_unpacklo_epi16(row[i], row[i + 1]);
    pairs[4 + i / 2] = _mm_unpackhi_epi16(row[i], row[i + 1]);
  }
  for (int i = 0; i < 8; i += 2) {  // pairs of values, of rows 0-3, then of 4-7
    fours[i] = _mm_unpacklo_epi32(pairs[i], pairs[i + 1]);
    fours[i + 1] = _mm_unpackhi_epi32(pairs[i], pairs[i + 1]);
  }
  for (int half = 0; half < 2; ++half) {
    for (int i = 0; i < 2; ++i) {
      const __m128i first = fours[4 * half + i], second = fours[4 * half + 2 + i];
      columns[4 * half + 2 * i] = _mm_unpacklo_epi64(first, second);
      columns[4 * half + 2 * i + 1] = _mm_unpackhi_epi64(first, second);
    }
  }
}

}  // namespace
}  // namespace spct
