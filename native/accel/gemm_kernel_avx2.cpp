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

// Products of int16 rows with int8 panels: pairs of k are multiplied and added as integers, twice as many at a time as
// floats are. A block's sum is below 32 * 127 * 32767, which int32 holds.
class Int8Loops {
 public:
  static void multiply(const int16_t* values, const float* scales, int64_t values_stride, int64_t rows,
                       const void* panel, int64_t depth, float* out, int64_t out_stride, bool add) {
    const auto* weights = static_cast<const int8_t*>(panel);
    const int64_t blocks = depth / int8_block;
    in_even_parts<rows_at_once>(rows, [=](auto part, int64_t row) {
      for (int64_t i = row; i < row + part.rows; ++i) Avx2::prefetch(out + i * out_stride + columns);
      for (int64_t block = 0; block < blocks; ++block) {
        fetch_share(weights + blocks * block_bytes, blocks, row * blocks + block * part.rows, part.rows, rows);
        multiply_block<part.rows>(values + row * values_stride, scales + row * (values_stride / int8_block),
                                  values_stride, weights, block, out + row * out_stride, out_stride, add);
      }
    });
  }

  static void round(const float* row, int64_t depth, int16_t* values, float* scales) {
    constexpr float largest = 32767.0f, negligible = 1e-30f;
    for (int64_t block = 0; block < depth / int8_block; ++block, row += int8_block, values += int8_block) {
      __m256i bits = _mm256_setzero_si256();  // as integers, what is not finite is the largest
      for (int64_t k = 0; k < int8_block; k += 8) {
        const __m256i magnitude = _mm256_and_si256(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(row + k)),
                                                   _mm256_set1_epi32(0x7fffffff));
        bits = _mm256_max_epi32(bits, magnitude);
      }
      __m128i half = _mm_max_epi32(_mm256_castsi256_si128(bits), _mm256_extracti128_si256(bits, 1));
      half = _mm_max_epi32(half, _mm_shuffle_epi32(half, 0x4e));
      half = _mm_max_epi32(half, _mm_shuffle_epi32(half, 0xb1));
      const float most = _mm_cvtss_f32(_mm_castsi128_ps(half));
      const bool rounds = most > negligible && most - most == 0;
      const __m256 factor = _mm256_set1_ps(rounds ? largest / most : 0.0f);
      for (int64_t k = 0; k < int8_block; k += 16) {
        const __m256i low = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(row + k), factor));
        const __m256i high = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(row + k + 8), factor));
        const __m256i both = _mm256_permute4x64_epi64(_mm256_packs_epi32(low, high), 0xd8);
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(values + k), both);
      }
      scales[block] = most - most == 0 ? most / largest : most - most;
    }
  }

 private:
  static constexpr int rows_at_once = 4;
  static constexpr int64_t columns = 2 * Avx2::width;
  static constexpr int64_t cache_line = 64;
  static constexpr int64_t block_bytes = columns * int8_block + columns * int64_t{sizeof(float)};

  // Of the panel after this one, what falls to the work between `done` and `done + more` of `rows` times its blocks.
  // Spread over the whole work, so that fetching never waits.
  static void fetch_share(const int8_t* panel, int64_t blocks, int64_t done, int64_t more, int64_t rows) {
    const int64_t lines = blocks * block_bytes / cache_line, all = rows * blocks;
    for (int64_t i = lines * done / all; i < lines * (done + more) / all; ++i) Avx2::prefetch(panel + i * cache_line);
  }

  template <int Rows>
  static void multiply_block(const int16_t* values, const float* scales, int64_t values_stride, const int8_t* panel,
                             int64_t block, float* out, int64_t out_stride, bool add) {
    const int8_t* const weights = panel + block * block_bytes;
    __m256i sums[Rows][2];
    for (int row = 0; row < Rows; ++row) sums[row][0] = sums[row][1] = _mm256_setzero_si256();
#pragma GCC unroll 4  // with the four rows, what GCC keeps in registers (1.3 times the speed of the loop as it is)
    for (int64_t pair = 0; pair < int8_block / 2; ++pair) {
      const int8_t* const both = weights + pair * 2 * columns;
      const __m256i first = widened(both), second = widened(both + columns);
      for (int row = 0; row < Rows; ++row) {
        const __m256i value = pair_of(values + row * values_stride + block * int8_block + 2 * pair);
        sums[row][0] = _mm256_add_epi32(sums[row][0], _mm256_madd_epi16(value, first));
        sums[row][1] = _mm256_add_epi32(sums[row][1], _mm256_madd_epi16(value, second));
      }
    }
    const auto* const weight_scales = reinterpret_cast<const float*>(weights + columns * int8_block);
    for (int row = 0; row < Rows; ++row) {
      const __m256 scale = Avx2::set(scales[row * (values_stride / int8_block) + block]);
      for (int half = 0; half < 2; ++half) {
        float* const to = out + row * out_stride + half * Avx2::width;
        const __m256 before = add || block > 0 ? Avx2::load(to) : Avx2::set(0.0f);
        const __m256 factor = _mm256_mul_ps(scale, Avx2::load(weight_scales + half * Avx2::width));
        Avx2::store(to, Avx2::fused(_mm256_cvtepi32_ps(sums[row][half]), factor, before));
      }
    }
  }

  static __m256i widened(const int8_t* from) {
    return _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
  }

  static __m256i pair_of(const int16_t* from) {
    return _mm256_castps_si256(_mm256_broadcast_ss(reinterpret_cast<const float*>(from)));
  }
};

}  // namespace

extern const GemmKernel gemm_kernel_avx2 = GemmLoops<Avx2>::table("AVX2", Int8Loops::multiply, Int8Loops::round);

}  // namespace spct
