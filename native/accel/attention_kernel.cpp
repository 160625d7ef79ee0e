// Compiled for AVX-512 F, BW, DQ and VL, called only where the processor has them. The query vectors lie in the lanes
// of SIMD vectors, so that maxima, sums and weights of the softmax are element-wise and only queries and results are
// transposed.
#include "accel/attention_kernel.h"

#include <immintrin.h>

namespace spct {

namespace {

constexpr int64_t lanes = attention_lanes;
constexpr int64_t width = attention_vector;
constexpr int64_t block = attention_block;
constexpr int64_t vectors = lanes / width;

// A block is multiplied with the vector's lanes at once when they see at least one in so many of its cells; one lane
// after the other takes about as long then.
constexpr int64_t dense_share = 4;

struct Scratch {
  float* query;    // [key_width][lanes], scaled
  float* out;      // [value_width][lanes]
  float* keys;     // [block][key_width]
  float* values;   // [block][value_width]
  float* weights;  // [block][lanes]: scores, then exponentials
  float* maximum;  // [lanes]
  float* sum;      // [lanes]
  float* row_out;  // [value_width]

  Scratch(const AttentionShape& shape, float* memory) {
    const auto take = [&memory](int64_t count) {
      float* taken = memory;
      memory += count;
      return taken;
    };
    query = take(shape.key_width * lanes);
    out = take(shape.value_width * lanes);
    keys = take(block * shape.key_width);
    values = take(block * shape.value_width);
    weights = take(block * lanes);
    maximum = take(lanes);
    sum = take(lanes);
    row_out = take(shape.value_width);
  }
};

__m512 minus_infinity() { return _mm512_set1_ps(-__builtin_inff()); }

// e^x, relative error below 2e-7; 0 below -138, NaN stays NaN.
__m512 exponential(__m512 x) {
  const __m512 power = _mm512_max_ps(_mm512_set1_ps(-200.0f), _mm512_mul_ps(x, _mm512_set1_ps(1.44269504f)));
  const __m512 whole = _mm512_roundscale_ps(power, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  // The fraction from x itself, in two parts of ln 2: the product above has lost its low bits for large x.
  __m512 f = _mm512_max_ps(_mm512_set1_ps(-138.7f), x);
  f = _mm512_fnmadd_ps(whole, _mm512_set1_ps(0.693359375f), f);
  f = _mm512_fnmadd_ps(whole, _mm512_set1_ps(-2.12194440e-4f), f);
  __m512 sum = _mm512_set1_ps(1.0f / 720);
  sum = _mm512_fmadd_ps(sum, f, _mm512_set1_ps(1.0f / 120));
  sum = _mm512_fmadd_ps(sum, f, _mm512_set1_ps(1.0f / 24));
  sum = _mm512_fmadd_ps(sum, f, _mm512_set1_ps(1.0f / 6));
  sum = _mm512_fmadd_ps(sum, f, _mm512_set1_ps(0.5f));
  sum = _mm512_fmadd_ps(sum, f, _mm512_set1_ps(1.0f));
  sum = _mm512_fmadd_ps(sum, f, _mm512_set1_ps(1.0f));
  return _mm512_scalef_ps(sum, whole);
}

// softcap * tanh(x / softcap); the scale has been divided by softcap before.
__m512 capped(__m512 x, float softcap) {
  if (softcap == 0) return x;
  const __m512 power = exponential(_mm512_min_ps(_mm512_set1_ps(40.0f), _mm512_add_ps(x, x)));
  const __m512 one = _mm512_set1_ps(1.0f);
  const __m512 tanh = _mm512_sub_ps(one, _mm512_div_ps(_mm512_set1_ps(2.0f), _mm512_add_ps(power, one)));
  return _mm512_mul_ps(_mm512_set1_ps(softcap), tanh);
}

__m512 load_half(const char* from) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
}

void to_floats(const char* from, size_t stride, int64_t count, int64_t row_width, float* to) {
  for (int64_t cell = 0; cell < count; ++cell) {
    for (int64_t i = 0; i < row_width; i += width) {
      _mm512_storeu_ps(to + cell * row_width + i, load_half(from + cell * stride + 2 * i));
    }
  }
  for (int64_t i = count * row_width; i < block * row_width; ++i) to[i] = 0;
}

// out[i][lanes of the chosen vectors] (+)= sum over d of left[i, d] * right[d][lanes], `Rows` rows i at once.
// left[i, d] is at left[i * row_step + d * step]; i < rows, d < depth.
template <int Count, int Rows, bool Add>
void multiply(const float* left, int64_t row_step, int64_t step, int64_t rows, int64_t depth, const float* right,
              const int64_t* chosen, float* out) {
  for (int64_t i = 0; i < rows; i += Rows) {
    __m512 sums[Rows][Count];
    for (int row = 0; row < Rows; ++row) {
      for (int v = 0; v < Count; ++v) {
        sums[row][v] = Add ? _mm512_loadu_ps(out + (i + row) * lanes + chosen[v]) : _mm512_setzero_ps();
      }
    }
    const float* from = left + i * row_step;
    for (int64_t d = 0; d < depth; ++d) {
      __m512 factors[Count];
      for (int v = 0; v < Count; ++v) factors[v] = _mm512_loadu_ps(right + d * lanes + chosen[v]);
      for (int row = 0; row < Rows; ++row) {
        const __m512 factor = _mm512_set1_ps(from[row * row_step + d * step]);
        for (int v = 0; v < Count; ++v) sums[row][v] = _mm512_fmadd_ps(factor, factors[v], sums[row][v]);
      }
    }
    for (int row = 0; row < Rows; ++row) {
      for (int v = 0; v < Count; ++v) _mm512_storeu_ps(out + (i + row) * lanes + chosen[v], sums[row][v]);
    }
  }
}

template <bool Add>
void multiply_chosen(int count, const float* left, int64_t row_step, int64_t step, int64_t rows, int64_t depth,
                     const float* right, const int64_t* chosen, float* out) {
  switch (count) {
    case 1: return multiply<1, 8, Add>(left, row_step, step, rows, depth, right, chosen, out);
    case 2: return multiply<2, 8, Add>(left, row_step, step, rows, depth, right, chosen, out);
    case 3: return multiply<3, 8, Add>(left, row_step, step, rows, depth, right, chosen, out);
    default: return multiply<4, 4, Add>(left, row_step, step, rows, depth, right, chosen, out);
  }
}

// The bits of 16 lanes, cell by cell.
struct LaneBits {
  __m512i low, high;

  LaneBits(const AttentionTask& task, int64_t first, int64_t at) {
    uint64_t bits[width];
    for (int64_t lane = 0; lane < width; ++lane) bits[lane] = task.visible[first + lane][at];
    low = _mm512_loadu_si512(bits);
    high = _mm512_loadu_si512(bits + 8);
  }

  bool all() const { return _mm512_reduce_and_epi64(_mm512_and_si512(low, high)) == -1; }
  __mmask16 of(int64_t cell) const {
    const __m512i bit = _mm512_set1_epi64(static_cast<int64_t>(uint64_t{1} << cell));
    return static_cast<__mmask16>(_mm512_test_epi64_mask(low, bit) | _mm512_test_epi64_mask(high, bit) << 8);
  }
};

bool is_dense(const AttentionTask& task, int64_t first, int64_t at) {
  int64_t seen = 0;
  for (int64_t lane = 0; lane < width; ++lane) seen += __builtin_popcountll(task.visible[first + lane][at]);
  return seen * dense_share >= width * block;
}

// Turns the scores of a vector's lanes into weights and what was summed before to the new maximum.
void soften(const AttentionShape& shape, const Scratch& work, const LaneBits& bits, int64_t first) {
  const bool all = bits.all();
  const __m512 before = _mm512_loadu_ps(work.maximum + first);
  __m512 maximum = before;
  for (int64_t cell = 0; cell < block; ++cell) {
    float* at = work.weights + cell * lanes + first;
    __m512 score = capped(_mm512_loadu_ps(at), shape.softcap);
    if (!all) score = _mm512_mask_blend_ps(bits.of(cell), minus_infinity(), score);
    _mm512_storeu_ps(at, score);
    maximum = _mm512_max_ps(maximum, score);
  }
  // A lane that has seen nothing yet keeps weights of 0.
  const __mmask16 none = _mm512_cmp_ps_mask(maximum, minus_infinity(), _CMP_EQ_OQ);
  const __m512 base = _mm512_mask_blend_ps(none, maximum, _mm512_setzero_ps());
  const __m512 shrink = exponential(_mm512_sub_ps(before, base));
  __m512 sum = _mm512_mul_ps(_mm512_loadu_ps(work.sum + first), shrink);
  for (int64_t cell = 0; cell < block; ++cell) {
    float* at = work.weights + cell * lanes + first;
    const __m512 weight = exponential(_mm512_sub_ps(_mm512_loadu_ps(at), base));
    _mm512_storeu_ps(at, weight);
    sum = _mm512_add_ps(sum, weight);
  }
  _mm512_storeu_ps(work.sum + first, sum);
  _mm512_storeu_ps(work.maximum + first, maximum);
  if (_mm512_cmp_ps_mask(before, maximum, _CMP_NEQ_UQ) == 0) return;
  for (int64_t i = 0; i < shape.value_width; ++i) {
    float* at = work.out + i * lanes + first;
    _mm512_storeu_ps(at, _mm512_mul_ps(_mm512_loadu_ps(at), shrink));
  }
}

// One lane over cells that few lanes see.
void attend_alone(const AttentionShape& shape, const AttentionTask& task, const Scratch& work, int64_t lane,
                  const int32_t* cells, int64_t count) {
  float weights[attention_list_length];
  const float* query = task.query[lane];
  __m512 highest = minus_infinity();
  for (int64_t i = 0; i < count; ++i) {
    const char* key = task.keys + cells[i] * task.key_stride;
    __m512 sum = _mm512_setzero_ps();
    for (int64_t d = 0; d < shape.key_width; d += width) {
      sum = _mm512_fmadd_ps(_mm512_loadu_ps(query + d), load_half(key + 2 * d), sum);
    }
    weights[i] = _mm512_reduce_add_ps(sum) * shape.scale;
  }
  for (int64_t i = count; i % width != 0; ++i) weights[i] = -__builtin_inff();
  for (int64_t i = 0; i < count; i += width) {
    const __mmask16 there = count - i < width ? static_cast<__mmask16>((1u << (count - i)) - 1) : 0xffff;
    const __m512 score = capped(_mm512_loadu_ps(weights + i), shape.softcap);
    _mm512_storeu_ps(weights + i, _mm512_mask_blend_ps(there, minus_infinity(), score));
    highest = _mm512_max_ps(highest, _mm512_loadu_ps(weights + i));
  }
  const float before = work.maximum[lane];
  const float reduced = _mm512_reduce_max_ps(highest);
  const float maximum = reduced > before ? reduced : before;
  const __m512 base = _mm512_set1_ps(maximum == -__builtin_inff() ? 0.0f : maximum);
  const __m512 shrink = exponential(_mm512_sub_ps(_mm512_set1_ps(before), base));
  __m512 sum = _mm512_setzero_ps();
  for (int64_t i = 0; i < count; i += width) {
    const __m512 weight = exponential(_mm512_sub_ps(_mm512_loadu_ps(weights + i), base));
    _mm512_storeu_ps(weights + i, weight);
    sum = _mm512_add_ps(sum, weight);
  }
  work.sum[lane] = work.sum[lane] * _mm512_cvtss_f32(shrink) + _mm512_reduce_add_ps(sum);
  work.maximum[lane] = maximum;
  for (int64_t d = 0; d < shape.value_width; d += width) {
    __m512 out = _mm512_mul_ps(_mm512_loadu_ps(work.row_out + d), shrink);
    for (int64_t i = 0; i < count; ++i) {
      const __m512 value = load_half(task.values + cells[i] * task.value_stride + 2 * d);
      out = _mm512_fmadd_ps(_mm512_set1_ps(weights[i]), value, out);
    }
    _mm512_storeu_ps(work.row_out + d, out);
  }
}

}  // namespace

size_t attention_scratch(const AttentionShape& shape) {
  return (shape.key_width + shape.value_width) * (lanes + block) + block * lanes + 2 * lanes + shape.value_width;
}

uint64_t visible_cells(const uint16_t* mask, int64_t count) {
  constexpr int64_t at_once = 32;
  const __m512i hidden = _mm512_set1_epi16(static_cast<int16_t>(0xfc00));
  uint64_t bits = 0;
  for (int64_t i = 0; i < count; i += at_once) {
    const __mmask32 there = count - i < at_once ? (__mmask32{1} << (count - i)) - 1 : ~__mmask32{0};
    const __m512i entries = _mm512_maskz_loadu_epi16(there, mask + i);
    bits |= uint64_t{_mm512_mask_cmpneq_epi16_mask(there, entries, hidden)} << i;
  }
  return bits;
}

void attend(const AttentionShape& shape, const AttentionTask& given, float* scratch) {
  const Scratch work(shape, scratch);
  AttentionTask task = given;
  const int64_t used = (task.lanes + width - 1) / width;
  for (int64_t lane = task.lanes; lane < used * width; ++lane) {  // what the last vector has left repeats a lane
    task.query[lane] = task.query[task.lanes - 1];
    task.visible[lane] = task.visible[task.lanes - 1];
  }
  for (int64_t d = 0; d < shape.key_width; ++d) {
    for (int64_t lane = 0; lane < used * width; ++lane)
      work.query[d * lanes + lane] = task.query[lane][d] * shape.scale;
  }
  for (int64_t i = 0; i < shape.value_width * lanes; ++i) work.out[i] = 0;
  for (int64_t lane = 0; lane < lanes; ++lane) {
    work.maximum[lane] = -__builtin_inff();
    work.sum[lane] = 0;
  }

  for (int64_t at = 0; at < shape.blocks; ++at) {
    int64_t chosen[vectors];
    int count = 0;
    task.dense[at] = 0;  // a bit for each vector
    for (int64_t v = 0; v < used; ++v) {
      if (!is_dense(task, v * width, at)) continue;
      task.dense[at] |= static_cast<uint8_t>(1 << v);
      chosen[count++] = v * width;
    }
    if (count == 0) continue;
    const int64_t begin = at * block;
    const int64_t there = shape.cells - begin < block ? shape.cells - begin : block;
    to_floats(task.keys + begin * task.key_stride, task.key_stride, there, shape.key_width, work.keys);
    multiply_chosen<false>(count, work.keys, shape.key_width, 1, block, shape.key_width, work.query, chosen,
                           work.weights);
    for (int v = 0; v < count; ++v) soften(shape, work, LaneBits(task, chosen[v], at), chosen[v]);
    to_floats(task.values + begin * task.value_stride, task.value_stride, there, shape.value_width, work.values);
    multiply_chosen<true>(count, work.values, 1, shape.value_width, shape.value_width, block, work.weights, chosen,
                          work.out);
  }

  for (int64_t lane = 0; lane < task.lanes; ++lane) {
    for (int64_t d = 0; d < shape.value_width; ++d) work.row_out[d] = work.out[d * lanes + lane];
    int32_t cells[attention_list_length];
    int64_t count = 0;
    for (int64_t at = 0; at < shape.blocks; ++at) {
      uint64_t bits = task.visible[lane][at];
      if (bits == 0 || (task.dense[at] >> lane / width & 1) != 0) continue;
      for (; bits != 0; bits &= bits - 1) {
        cells[count++] = static_cast<int32_t>(at * block + __builtin_ctzll(bits));
        if (count < attention_list_length) continue;
        attend_alone(shape, task, work, lane, cells, count);
        count = 0;
      }
    }
    if (count > 0) attend_alone(shape, task, work, lane, cells, count);
    const float sum = work.sum[lane];
    const __m512 factor = _mm512_set1_ps(sum == 0 ? 0 : 1 / sum);
    for (int64_t d = 0; d < shape.value_width; d += width) {
      _mm512_storeu_ps(task.out[lane] + d, _mm512_mul_ps(_mm512_loadu_ps(work.row_out + d), factor));
    }
  }
}

}  // namespace spct
