#pragma once

// The attention of many query vectors over a SIMD type, for the files that compile it for one instruction set each.
// Those files include nothing with inline functions of its own: the linker could give their copies to older processors.
// The query vectors lie in the lanes of SIMD vectors, so that maxima, sums and weights of the softmax are element-wise
// and only queries and results are transposed.
//
// Simd has: width, which divides 16; most_vectors, how many vectors a product takes at once (1, 2 or 4), and
// rows_at_once(vectors), even; Floats; Mask; load, load_kept (in a register, for several uses), store, prefetch, set,
// add, subtract, multiply, divide; minimum and maximum, the second where either is NaN; fused(a, b, c), a * b + c;
// fused_negative, c - a * b; round; times_power_of_two; load_half; reduce_sum, reduce_maximum, first; select(mask,
// clear, set); equal; differs, whether any lane does or is NaN; first_lanes(count); LaneBits(bits), of `width` lanes:
// all() and of(cell); visible_cells.

#include "accel/attention_kernel.h"

namespace spct {
namespace {

template <class Simd>
class AttentionLoops {
 public:
  static constexpr AttentionKernel table(const char* name) { return {name, Simd::visible_cells, attend}; }

 private:
  using Floats = typename Simd::Floats;
  using LaneBits = typename Simd::LaneBits;
  static constexpr int64_t lanes = attention_lanes;
  static constexpr int64_t width = Simd::width;
  static constexpr int64_t block = attention_block;
  static constexpr int64_t vectors = lanes / width;
  static_assert(vectors <= 8, "a block has a bit for each vector");

  // A block is multiplied with the vector's lanes at once when they see at least one in so many of its cells; one lane
  // after the other takes about as long then.
  static constexpr int64_t dense_share = 4;

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

  static Floats minus_infinity() { return Simd::set(-__builtin_inff()); }

  // e^x, relative error below 2e-7; 0 below -138, NaN stays NaN.
  static Floats exponential(Floats x) {
    const Floats power = Simd::maximum(Simd::set(-200.0f), Simd::multiply(x, Simd::set(1.44269504f)));
    const Floats whole = Simd::round(power);
    // The fraction from x itself, in two parts of ln 2: the product above has lost its low bits for large x.
    Floats f = Simd::maximum(Simd::set(-138.7f), x);
    f = Simd::fused_negative(whole, Simd::set(0.693359375f), f);
    f = Simd::fused_negative(whole, Simd::set(-2.12194440e-4f), f);
    Floats sum = Simd::set(1.0f / 720);
    sum = Simd::fused(sum, f, Simd::set(1.0f / 120));
    sum = Simd::fused(sum, f, Simd::set(1.0f / 24));
    sum = Simd::fused(sum, f, Simd::set(1.0f / 6));
    sum = Simd::fused(sum, f, Simd::set(0.5f));
    sum = Simd::fused(sum, f, Simd::set(1.0f));
    sum = Simd::fused(sum, f, Simd::set(1.0f));
    return Simd::times_power_of_two(sum, whole);
  }

  // softcap * tanh(x / softcap); the scale has been divided by softcap before.
  static Floats capped(Floats x, float softcap) {
    if (softcap == 0) return x;
    const Floats power = exponential(Simd::minimum(Simd::set(40.0f), Simd::add(x, x)));
    const Floats one = Simd::set(1.0f);
    const Floats tanh = Simd::subtract(one, Simd::divide(Simd::set(2.0f), Simd::add(power, one)));
    return Simd::multiply(Simd::set(softcap), tanh);
  }

  static void to_floats(const char* from, size_t stride, int64_t count, int64_t row_width, float* to) {
    constexpr int64_t halves_of_line = 32;
    for (int64_t cell = 0; cell < count; ++cell) {
      const char* row = from + cell * stride;
      for (int64_t i = 0; i < row_width; i += halves_of_line) Simd::prefetch(row + block * stride + 2 * i);
      for (int64_t i = 0; i < row_width; i += width) {
        Simd::store(to + cell * row_width + i, Simd::load_half(row + 2 * i));
      }
    }
    for (int64_t i = count * row_width; i < block * row_width; ++i) to[i] = 0;
  }

  // out[i][lanes of the chosen vectors] (+)= sum over d of left[i, d] * right[d][lanes]; i < Rows, d < depth.
  // left[i, d] is at left[i * row_step + d * step].
  template <int Count, int Rows, bool Add>
  static void multiply_rows(const float* left, int64_t row_step, int64_t step, int64_t depth, const float* right,
                            const int64_t* chosen, float* out) {
    Floats sums[Rows][Count];
    for (int row = 0; row < Rows; ++row) {
      for (int v = 0; v < Count; ++v) {
        sums[row][v] = Add ? Simd::load(out + row * lanes + chosen[v]) : Simd::set(0.0f);
      }
    }
    for (int64_t d = 0; d < depth; ++d) {
      Floats factors[Count];
      for (int v = 0; v < Count; ++v) factors[v] = Simd::load_kept(right + d * lanes + chosen[v]);
      for (int row = 0; row < Rows; ++row) {
        const Floats factor = Simd::set(left[row * row_step + d * step]);
        for (int v = 0; v < Count; ++v) sums[row][v] = Simd::fused(factor, factors[v], sums[row][v]);
      }
    }
    for (int row = 0; row < Rows; ++row) {
      for (int v = 0; v < Count; ++v) Simd::store(out + row * lanes + chosen[v], sums[row][v]);
    }
  }

  // The same for any number of rows, a multiple of 16.
  template <int Count, bool Add>
  static void multiply(const float* left, int64_t row_step, int64_t step, int64_t rows, int64_t depth,
                       const float* right, const int64_t* chosen, float* out) {
    constexpr int at_once = Simd::rows_at_once(Count);
    const int64_t in_pairs = rows / (2 * at_once) * 2 * at_once;  // leaves a multiple of four
    int64_t i = 0;
    for (; i < in_pairs; i += at_once) {
      multiply_rows<Count, at_once, Add>(left + i * row_step, row_step, step, depth, right, chosen, out + i * lanes);
    }
    for (; i < rows; i += 4) {
      multiply_rows<Count, 4, Add>(left + i * row_step, row_step, step, depth, right, chosen, out + i * lanes);
    }
  }

  template <bool Add>
  static void multiply_chosen(int count, const float* left, int64_t row_step, int64_t step, int64_t rows, int64_t depth,
                              const float* right, const int64_t* chosen, float* out) {
    while (count > 0) {
      const int now = count < Simd::most_vectors ? count : Simd::most_vectors;
      if (now == 1) multiply<1, Add>(left, row_step, step, rows, depth, right, chosen, out);
      if constexpr (Simd::most_vectors > 1) {
        if (now == 2) multiply<2, Add>(left, row_step, step, rows, depth, right, chosen, out);
      }
      if constexpr (Simd::most_vectors > 2) {
        if (now == 3) multiply<3, Add>(left, row_step, step, rows, depth, right, chosen, out);
        if (now == 4) multiply<4, Add>(left, row_step, step, rows, depth, right, chosen, out);
      }
      chosen += now;
      count -= now;
    }
  }

  static LaneBits lane_bits(const AttentionTask& task, int64_t first, int64_t at) {
    uint64_t bits[width];
    for (int64_t lane = 0; lane < width; ++lane) bits[lane] = task.visible[first + lane][at];
    return LaneBits(bits);
  }

  static bool is_dense(const AttentionTask& task, int64_t first, int64_t at) {
    int64_t seen = 0;
    for (int64_t lane = 0; lane < width; ++lane) seen += __builtin_popcountll(task.visible[first + lane][at]);
    return seen * dense_share >= width * block;
  }

  // Turns the scores of a vector's lanes into weights and what was summed before to the new maximum.
  static void soften(const AttentionShape& shape, const Scratch& work, const LaneBits& bits, int64_t first) {
    const bool all = bits.all();
    const Floats before = Simd::load(work.maximum + first);
    Floats maximum = before;
    for (int64_t cell = 0; cell < block; ++cell) {
      float* at = work.weights + cell * lanes + first;
      Floats score = capped(Simd::load(at), shape.softcap);
      if (!all) score = Simd::select(bits.of(cell), minus_infinity(), score);
      Simd::store(at, score);
      maximum = Simd::maximum(maximum, score);
    }
    // A lane that has seen nothing yet keeps weights of 0.
    const Floats base = Simd::select(Simd::equal(maximum, minus_infinity()), maximum, Simd::set(0.0f));
    const Floats shrink = exponential(Simd::subtract(before, base));
    Floats sum = Simd::multiply(Simd::load(work.sum + first), shrink);
    for (int64_t cell = 0; cell < block; ++cell) {
      float* at = work.weights + cell * lanes + first;
      const Floats weight = exponential(Simd::subtract(Simd::load(at), base));
      Simd::store(at, weight);
      sum = Simd::add(sum, weight);
    }
    Simd::store(work.sum + first, sum);
    Simd::store(work.maximum + first, maximum);
    if (!Simd::differs(before, maximum)) return;
    for (int64_t i = 0; i < shape.value_width; ++i) {
      float* at = work.out + i * lanes + first;
      Simd::store(at, Simd::multiply(Simd::load(at), shrink));
    }
  }

  // One lane over cells that few lanes see.
  static void attend_alone(const AttentionShape& shape, const AttentionTask& task, const Scratch& work, int64_t lane,
                           const int32_t* cells, int64_t count) {
    float weights[attention_list_length];
    const float* query = task.query[lane];
    Floats highest = minus_infinity();
    for (int64_t i = 0; i < count; ++i) {
      const char* key = task.keys + cells[i] * task.key_stride;
      Floats sum = Simd::set(0.0f);
      for (int64_t d = 0; d < shape.key_width; d += width) {
        sum = Simd::fused(Simd::load(query + d), Simd::load_half(key + 2 * d), sum);
      }
      weights[i] = Simd::reduce_sum(sum) * shape.scale;
    }
    for (int64_t i = count; i % width != 0; ++i) weights[i] = -__builtin_inff();
    for (int64_t i = 0; i < count; i += width) {
      const Floats score = capped(Simd::load(weights + i), shape.softcap);
      const auto there = Simd::first_lanes(count - i < width ? count - i : width);
      Simd::store(weights + i, Simd::select(there, minus_infinity(), score));
      highest = Simd::maximum(highest, Simd::load(weights + i));
    }
    const float before = work.maximum[lane];
    const float reduced = Simd::reduce_maximum(highest);
    const float maximum = reduced > before ? reduced : before;
    const Floats base = Simd::set(maximum == -__builtin_inff() ? 0.0f : maximum);
    const Floats shrink = exponential(Simd::subtract(Simd::set(before), base));
    Floats sum = Simd::set(0.0f);
    for (int64_t i = 0; i < count; i += width) {
      const Floats weight = exponential(Simd::subtract(Simd::load(weights + i), base));
      Simd::store(weights + i, weight);
      sum = Simd::add(sum, weight);
    }
    work.sum[lane] = work.sum[lane] * Simd::first(shrink) + Simd::reduce_sum(sum);
    work.maximum[lane] = maximum;
    for (int64_t d = 0; d < shape.value_width; d += width) {
      Floats out = Simd::multiply(Simd::load(work.row_out + d), shrink);
      for (int64_t i = 0; i < count; ++i) {
        const Floats value = Simd::load_half(task.values + cells[i] * task.value_stride + 2 * d);
        out = Simd::fused(Simd::set(weights[i]), value, out);
      }
      Simd::store(work.row_out + d, out);
    }
  }

  // Blocks that many lanes see, for all lanes at once. Leaves in task.dense which blocks they were.
  static void attend_together(const AttentionShape& shape, const AttentionTask& task, const Scratch& work,
                              int64_t used) {
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
      for (int v = 0; v < count; ++v) soften(shape, work, lane_bits(task, chosen[v], at), chosen[v]);
      to_floats(task.values + begin * task.value_stride, task.value_stride, there, shape.value_width, work.values);
      multiply_chosen<true>(count, work.values, 1, shape.value_width, shape.value_width, block, work.weights, chosen,
                            work.out);
    }
  }

  static void attend_rest(const AttentionShape& shape, const AttentionTask& task, const Scratch& work, int64_t lane) {
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
  }

  static void attend(const AttentionShape& shape, const AttentionTask& given, float* scratch) {
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

    attend_together(shape, task, work, used);
    for (int64_t lane = 0; lane < task.lanes; ++lane) {
      for (int64_t d = 0; d < shape.value_width; ++d) work.row_out[d] = work.out[d * lanes + lane];
      attend_rest(shape, task, work, lane);
      const float sum = work.sum[lane];
      const Floats factor = Simd::set(sum == 0 ? 0 : 1 / sum);
      for (int64_t d = 0; d < shape.value_width; d += width) {
        Simd::store(task.out[lane] + d, Simd::multiply(Simd::load(work.row_out + d), factor));
      }
    }
  }
};

}  // namespace
}  // namespace spct
