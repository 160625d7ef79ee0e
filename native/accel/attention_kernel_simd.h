#pragma once

// The attention of many query vectors over a SIMD type, for the files that compile it for one instruction set each.
// Those files include nothing with inline functions of its own: the linker could give their copies to older processors.
// The query vectors lie in the lanes of SIMD vectors, so that maxima, sums and weights of the softmax are element-wise
// and only queries and results are transposed.
//
// A lane's result does not depend on its neighbours, nor on where its cells lie: a score is the same sum whoever else
// sees the cell; a weight is e^score without a power of two, which is exact to change; and weights and weighted values
// are added up in double precision, where the order is lost in rounding.
//
// Simd has: width, which divides 16; most_vectors, how many vectors of floats a product takes at once (2 or 4), and
// rows_at_once(vectors), even; Floats and Doubles, of half as many; Mask. For both: load, load_kept (in a register, for
// several uses), store, set, add, multiply and fused(a, b, c), a * b + c. For floats: prefetch; subtract; divide;
// minimum and maximum, the second where either is NaN; fused_negative, c - a * b; round; times_power_of_two; load_half;
// load_columns(rows, columns), eight columns of `width` rows of halves; low and high, half of them as doubles;
// reduce_maximum, first; select(mask, clear, set); greater, any; LaneBits(bits), of `width` lanes: all() and of(cell);
// visible_cells. For doubles: narrowed(low, high), reduce_sum.

#include "accel/attention_kernel.h"

namespace spct {
namespace {

template <class Simd>
class AttentionLoops {
 public:
  static constexpr AttentionKernel table(const char* name) { return {name, Simd::visible_cells, attend}; }

 private:
  using Floats = typename Simd::Floats;
  using Doubles = typename Simd::Doubles;
  using LaneBits = typename Simd::LaneBits;
  static constexpr int64_t lanes = attention_lanes;
  static constexpr int64_t width = Simd::width;
  static constexpr int64_t block = attention_block;
  static constexpr int64_t vectors = lanes / width;
  static_assert(vectors <= 8, "a block has a bit for each vector");

  // A block is multiplied with the vector's lanes at once when they see at least one in so many of its cells; one lane
  // after the other takes about as long then.
  static constexpr int64_t dense_share = 4;

  static constexpr float most_above_base = 64;  // in powers of two, far from the largest float

  struct Scratch {
    double* out;      // [vectors][value_width][width]
    double* values;   // [block][value_width + attention_padding]
    double* weights;  // [vectors][block][width]
    double* sum;      // [lanes], of the weights
    double* rows;     // [attention_together][value_width]
    float* query;     // [vectors][key_width][width], scaled
    float* keys;      // [block][key_width]
    float* scores;    // [vectors][block][width]
    float* base;      // [lanes]: the power of two that weights are without

    Scratch(const AttentionShape& shape, double* memory) {
      const auto take = [&memory](int64_t count) {
        double* taken = memory;
        memory += count;
        return taken;
      };
      const auto take_floats = [&take](int64_t count) { return reinterpret_cast<float*>(take(count / 2)); };
      out = take(shape.value_width * lanes);
      values = take(block * (shape.value_width + attention_padding));
      weights = take(block * lanes);
      sum = take(lanes);
      rows = take(attention_together * shape.value_width);
      query = take_floats(shape.key_width * lanes);
      keys = take_floats(block * shape.key_width);
      scores = take_floats(block * lanes);
      base = take_floats(lanes);
    }
  };

  static Floats minus_infinity() { return Simd::set(-__builtin_inff()); }

  static Floats power_of(Floats x) { return Simd::round(Simd::multiply(x, Simd::set(1.44269504f))); }

  // e^x / 2^base, relative error below 2e-7, the same but for the power of two whatever the base. 0 where x is far
  // below the base; NaN stays NaN.
  static Floats exponential(Floats given, Floats base) {
    const Floats x = Simd::maximum(Simd::set(-1e38f), given), one = Simd::set(1.0f);
    const Floats whole = power_of(x);
    // In two parts of ln 2, so that large x lose nothing.
    Floats f = Simd::fused_negative(whole, Simd::set(0.693359375f), x);
    f = Simd::fused_negative(whole, Simd::set(-2.12194440e-4f), f);
    f = Simd::maximum(Simd::set(-1.0f), Simd::minimum(one, f));  // beyond them where x itself has lost its fraction
    Floats sum = Simd::set(1.0f / 720);
    sum = Simd::fused(sum, f, Simd::set(1.0f / 120));
    sum = Simd::fused(sum, f, Simd::set(1.0f / 24));
    sum = Simd::fused(sum, f, Simd::set(1.0f / 6));
    sum = Simd::fused(sum, f, Simd::set(0.5f));
    sum = Simd::fused(sum, f, one);
    sum = Simd::fused(sum, f, one);
    return times_power(sum, Simd::subtract(whole, base));
  }

  static Floats times_power(Floats a, Floats power) {
    return Simd::times_power_of_two(a, Simd::maximum(Simd::set(-250.0f), Simd::minimum(Simd::set(100.0f), power)));
  }

  // The base for scores up to `highest`: the one before until they leave it behind.
  static Floats new_base(Floats before, Floats highest) {
    const Floats needed = power_of(highest);
    return Simd::select(Simd::greater(needed, Simd::add(before, Simd::set(most_above_base))), before, needed);
  }

  // softcap * tanh(x / softcap); the scale has been divided by softcap before.
  static Floats capped(Floats x, float softcap) {
    if (softcap == 0) return x;
    const Floats power = exponential(Simd::minimum(Simd::set(40.0f), Simd::add(x, x)), Simd::set(0.0f));
    const Floats one = Simd::set(1.0f);
    const Floats tanh = Simd::subtract(one, Simd::divide(Simd::set(2.0f), Simd::add(power, one)));
    return Simd::multiply(Simd::set(softcap), tanh);
  }

  static void prefetch_row(const char* row, int64_t row_width) {
    constexpr int64_t halves_of_line = 32;
    for (int64_t i = 0; i < row_width; i += halves_of_line) Simd::prefetch(row + 2 * i);
  }

  static void store_half(const char* from, float* to) { Simd::store(to, Simd::load_half(from)); }
  static void store_half(const char* from, double* to) {
    const Floats values = Simd::load_half(from);
    Simd::store(to, Simd::low(values));
    Simd::store(to + width / 2, Simd::high(values));
  }

  template <class Number>
  static void widen(const char* from, size_t stride, int64_t count, int64_t row_width, Number* to, int64_t to_stride) {
    for (int64_t cell = 0; cell < count; ++cell) {
      const char* row = from + cell * stride;
      prefetch_row(row + block * stride, row_width);
      for (int64_t i = 0; i < row_width; i += width) store_half(row + 2 * i, to + cell * to_stride + i);
    }
    for (int64_t i = count * to_stride; i < block * to_stride; ++i) to[i] = 0;
  }

  // What a product of `left` with some of the vectors of `right` reads and writes: for each chosen vector,
  // out[rows][width] (+)= sum over d of left[i, d] * right[d][width], i < rows, d < depth. left[i, d] is at
  // left[i * row_step + d * step]. `rows` is a multiple of 16.
  template <class Number>
  struct Product {
    const Number* left;
    int64_t row_step, step, rows, depth;
    const Number* right;  // [vectors][depth][width]
    Number* out;          // [vectors][rows][width]
  };

  // Rows `first` to `first` + Rows.
  template <int Count, int Rows, bool Add, class Number>
  static void multiply_rows(const Product<Number>& product, int64_t first, const int64_t* chosen) {
    using Vector = decltype(Simd::load(product.right));
    constexpr int parts = sizeof(Number) / sizeof(float), all = Count * parts;
    const Number* const left = product.left + first * product.row_step;
    const Number* right[all];
    Number* out[all];
    for (int v = 0; v < all; ++v) {
      const int64_t vector = chosen[v / parts], part = v % parts * (width / parts);
      right[v] = product.right + vector * product.depth * width + part;
      out[v] = product.out + (vector * product.rows + first) * width + part;
    }
    Vector sums[Rows][all];
    for (int row = 0; row < Rows; ++row) {
      for (int v = 0; v < all; ++v) sums[row][v] = Add ? Simd::load(out[v] + row * width) : Simd::set(Number{0});
    }
    for (int64_t d = 0; d < product.depth; ++d) {
      Vector factors[all];
      for (int v = 0; v < all; ++v) factors[v] = Simd::load_kept(right[v] + d * width);
      for (int row = 0; row < Rows; ++row) {
        const Vector factor = Simd::set(left[row * product.row_step + d * product.step]);
        for (int v = 0; v < all; ++v) sums[row][v] = Simd::fused(factor, factors[v], sums[row][v]);
      }
    }
    for (int row = 0; row < Rows; ++row) {
      for (int v = 0; v < all; ++v) Simd::store(out[v] + row * width, sums[row][v]);
    }
  }

  template <int Count, bool Add, class Number>
  static void multiply(const Product<Number>& product, const int64_t* chosen) {
    constexpr int at_once = Simd::rows_at_once(Count * sizeof(Number) / sizeof(float));
    const int64_t in_pairs = product.rows / (2 * at_once) * 2 * at_once;  // leaves a multiple of four
    int64_t i = 0;
    for (; i < in_pairs; i += at_once) multiply_rows<Count, at_once, Add>(product, i, chosen);
    for (; i < product.rows; i += 4) multiply_rows<Count, 4, Add>(product, i, chosen);
  }

  template <bool Add, class Number>
  static void multiply_chosen(const Product<Number>& product, const int64_t* chosen, int count) {
    constexpr int most = Simd::most_vectors * sizeof(float) / sizeof(Number);
    while (count > 0) {
      const int now = count < most ? count : most;
      if (now == 1) multiply<1, Add>(product, chosen);
      if constexpr (most > 1) {
        if (now == 2) multiply<2, Add>(product, chosen);
      }
      if constexpr (most > 2) {
        if (now == 3) multiply<3, Add>(product, chosen);
        if (now == 4) multiply<4, Add>(product, chosen);
      }
      chosen += now;
      count -= now;
    }
  }

  static LaneBits lane_bits(const AttentionTask& task, int64_t vector, int64_t at) {
    uint64_t bits[width];
    for (int64_t lane = 0; lane < width; ++lane) bits[lane] = task.visible[vector * width + lane][at];
    return LaneBits(bits);
  }

  static bool is_dense(const AttentionTask& task, int64_t vector, int64_t at) {
    int64_t seen = 0;
    for (int64_t lane = 0; lane < width; ++lane) {
      seen += __builtin_popcountll(task.visible[vector * width + lane][at]);
    }
    return seen * dense_share >= width * block;
  }

  // Turns the scores of a vector's lanes into weights and what was summed before to their base.
  static void soften(const AttentionShape& shape, const Scratch& work, const LaneBits& bits, int64_t vector) {
    const bool all = bits.all();
    float* const scores = work.scores + vector * block * width;
    double* const weights = work.weights + vector * block * width;
    Floats highest = minus_infinity();
    for (int64_t cell = 0; cell < block; ++cell) {
      Floats score = capped(Simd::load(scores + cell * width), shape.softcap);
      Simd::store(scores + cell * width, score);
      if (!all) score = Simd::select(bits.of(cell), minus_infinity(), score);
      highest = Simd::maximum(highest, score);
    }
    float* const base_at = work.base + vector * width;
    double* const sum = work.sum + vector * width;
    const Floats before = Simd::load(base_at), base = new_base(before, highest);
    Doubles sums[2] = {Simd::load(sum), Simd::load(sum + width / 2)};
    if (const auto grown = Simd::greater(base, before); Simd::any(grown)) {
      const Floats one = Simd::set(1.0f);
      const Floats shrink = Simd::select(grown, one, times_power(one, Simd::subtract(before, base)));
      const Doubles shrinks[2] = {Simd::low(shrink), Simd::high(shrink)};
      for (int half = 0; half < 2; ++half) sums[half] = Simd::multiply(sums[half], shrinks[half]);
      double* out = work.out + vector * shape.value_width * width;
      for (int64_t i = 0; i < 2 * shape.value_width; ++i, out += width / 2) {
        Simd::store(out, Simd::multiply(Simd::load(out), shrinks[i % 2]));
      }
      Simd::store(base_at, base);
    }
    for (int64_t cell = 0; cell < block; ++cell) {
      Floats weight = exponential(Simd::load(scores + cell * width), base);
      if (!all) weight = Simd::select(bits.of(cell), Simd::set(0.0f), weight);
      const Doubles halves[2] = {Simd::low(weight), Simd::high(weight)};
      for (int half = 0; half < 2; ++half) {
        Simd::store(weights + cell * width + half * (width / 2), halves[half]);
        sums[half] = Simd::add(sums[half], halves[half]);
      }
    }
    for (int half = 0; half < 2; ++half) Simd::store(sum + half * (width / 2), sums[half]);
  }

  // `Count` lanes of one row over cells that few lanes see. Pads `cells` to whole vectors.
  template <int Count>
  static void attend_alone(const AttentionShape& shape, const AttentionTask& task, const Scratch& work, int64_t lane,
                           int32_t* cells, int64_t count) {
    constexpr int64_t columns_at_once = 8;
    // Few lanes have few sums, each of which would wait for itself.
    constexpr int key_vectors = Count == 1 ? 2 : 1, value_vectors = Count <= 2 ? attention_vector / width : 1;
    constexpr int64_t cells_at_once = key_vectors * width, half = width / 2;
    const float* const query = work.query + lane / width * shape.key_width * width + lane % width;
    float scores[Count][attention_list_length];
    double weights[Count][attention_list_length];
    Floats highest[Count];
    for (int i = 0; i < Count; ++i) highest[i] = minus_infinity();
    for (int64_t i = count; i % cells_at_once != 0; ++i) cells[i] = cells[count - 1];
    for (int64_t i = 0; i < count; i += cells_at_once) {
      const char* keys[cells_at_once];
      for (int64_t j = 0; j < cells_at_once; ++j) {
        keys[j] = task.keys + cells[i + j] * task.key_stride;
        prefetch_row(task.values + cells[i + j] * task.value_stride, shape.value_width);
        const int64_t after = i + j + cells_at_once;
        if (after < count) prefetch_row(task.keys + cells[after] * task.key_stride, shape.key_width);
      }
      Floats sums[key_vectors][Count];
      for (int v = 0; v < key_vectors; ++v) {
        for (int at = 0; at < Count; ++at) sums[v][at] = Simd::set(0.0f);
      }
      for (int64_t d = 0; d < shape.key_width; d += columns_at_once) {
        for (int v = 0; v < key_vectors; ++v) {
          Floats columns[columns_at_once];
          Simd::load_columns(keys + v * width, 2 * d, columns);
          for (int64_t j = 0; j < columns_at_once; ++j) {
            const float* from = query + (d + j) * width;
            for (int at = 0; at < Count; ++at) sums[v][at] = Simd::fused(columns[j], Simd::set(from[at]), sums[v][at]);
          }
        }
      }
      for (int v = 0; v < key_vectors; ++v) {
        for (int at = 0; at < Count; ++at) {
          const Floats score = capped(sums[v][at], shape.softcap);
          Simd::store(scores[at] + i + v * width, score);
          highest[at] = Simd::maximum(highest[at], score);
        }
      }
    }
    for (int at = 0; at < Count; ++at) {
      const Floats before = Simd::set(work.base[lane + at]);
      const Floats base = new_base(before, Simd::set(Simd::reduce_maximum(highest[at])));
      if (Simd::any(Simd::greater(base, before))) {
        const double shrink = Simd::first(times_power(Simd::set(1.0f), Simd::subtract(before, base)));
        work.sum[lane + at] *= shrink;
        for (int64_t d = 0; d < shape.value_width; ++d) work.rows[at * shape.value_width + d] *= shrink;
        work.base[lane + at] = Simd::first(base);
      }
      Doubles sum = Simd::set(0.0);
      for (int64_t i = 0; i < count; i += width) {
        const auto there = Simd::first_lanes(count - i < width ? count - i : width);
        const Floats weight = Simd::select(there, Simd::set(0.0f), exponential(Simd::load(scores[at] + i), base));
        Simd::store(weights[at] + i, Simd::low(weight));
        Simd::store(weights[at] + i + half, Simd::high(weight));
        sum = Simd::add(sum, Simd::add(Simd::low(weight), Simd::high(weight)));
      }
      work.sum[lane + at] += Simd::reduce_sum(sum);
    }
    for (int64_t d = 0; d < shape.value_width; d += value_vectors * width) {
      constexpr int parts = 2 * value_vectors;
      Doubles sums[Count][parts];
      for (int at = 0; at < Count; ++at) {
        for (int part = 0; part < parts; ++part) {
          sums[at][part] = Simd::load(work.rows + at * shape.value_width + d + part * half);
        }
      }
      for (int64_t i = 0; i < count; ++i) {
        const char* const from = task.values + cells[i] * task.value_stride + 2 * d;
        Doubles values[parts];
        for (int v = 0; v < value_vectors; ++v) {
          const Floats both = Simd::load_half(from + 2 * v * width);
          values[2 * v] = Simd::low(both);
          values[2 * v + 1] = Simd::high(both);
        }
        for (int at = 0; at < Count; ++at) {
          const Doubles weight = Simd::set(weights[at][i]);
          for (int part = 0; part < parts; ++part) sums[at][part] = Simd::fused(weight, values[part], sums[at][part]);
        }
      }
      for (int at = 0; at < Count; ++at) {
        for (int part = 0; part < parts; ++part) {
          Simd::store(work.rows + at * shape.value_width + d + part * half, sums[at][part]);
        }
      }
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
        if (!is_dense(task, v, at)) continue;
        task.dense[at] |= static_cast<uint8_t>(1 << v);
        chosen[count++] = v;
      }
      if (count == 0) continue;
      const int64_t begin = at * block;
      const int64_t there = shape.cells - begin < block ? shape.cells - begin : block;
      widen(task.keys + begin * task.key_stride, task.key_stride, there, shape.key_width, work.keys, shape.key_width);
      const Product<float> products{work.keys, shape.key_width, 1, block, shape.key_width, work.query, work.scores};
      multiply_chosen<false>(products, chosen, count);
      for (int v = 0; v < count; ++v) soften(shape, work, lane_bits(task, chosen[v], at), chosen[v]);
      const int64_t stride = shape.value_width + attention_padding;
      widen(task.values + begin * task.value_stride, task.value_stride, there, shape.value_width, work.values, stride);
      const Product<double> weighted{work.values, 1, stride, shape.value_width, block, work.weights, work.out};
      multiply_chosen<true>(weighted, chosen, count);
    }
  }

  template <int Count>
  static void attend_rest(const AttentionShape& shape, const AttentionTask& task, const Scratch& work, int64_t lane) {
    int32_t cells[attention_list_length];
    int64_t count = 0;
    for (int64_t at = 0; at < shape.blocks; ++at) {
      uint64_t bits = task.visible[lane][at];
      if (bits == 0 || (task.dense[at] >> lane / width & 1) != 0) continue;
      for (; bits != 0; bits &= bits - 1) {
        cells[count++] = static_cast<int32_t>(at * block + __builtin_ctzll(bits));
        if (count < attention_list_length) continue;
        attend_alone<Count>(shape, task, work, lane, cells, count);
        count = 0;
      }
    }
    if (count > 0) attend_alone<Count>(shape, task, work, lane, cells, count);
  }

  template <int Count>
  static void finish(const AttentionShape& shape, const AttentionTask& task, const Scratch& work, int64_t lane) {
    const double* const out = work.out + lane / width * shape.value_width * width + lane % width;
    for (int64_t d = 0; d < shape.value_width; ++d) {
      for (int at = 0; at < Count; ++at) work.rows[at * shape.value_width + d] = out[d * width + at];
    }
    attend_rest<Count>(shape, task, work, lane);
    for (int at = 0; at < Count; ++at) {
      const double sum = work.sum[lane + at];
      const Doubles factor = Simd::set(sum == 0 ? 0.0 : 1 / sum);
      const double* row = work.rows + at * shape.value_width;
      for (int64_t d = 0; d < shape.value_width; d += width) {
        const Doubles low = Simd::multiply(Simd::load(row + d), factor);
        const Doubles high = Simd::multiply(Simd::load(row + d + width / 2), factor);
        Simd::store(task.out[lane + at] + d, Simd::narrowed(low, high));
      }
    }
  }

  // How many lanes from this one on are of the same row, in the same vector.
  static int64_t of_one_row(const AttentionTask& task, int64_t lane) {
    int64_t count = 1;
    while (count < attention_together && (lane + count) % width != 0 && lane + count < task.lanes &&
           task.visible[lane + count] == task.visible[lane]) {
      ++count;
    }
    return count;
  }

  static void attend(const AttentionShape& shape, const AttentionTask& given, double* scratch) {
    const Scratch work(shape, scratch);
    AttentionTask task = given;
    const int64_t used = (task.lanes + width - 1) / width;
    for (int64_t lane = task.lanes; lane < used * width; ++lane) {  // what the last vector has left repeats a lane
      task.query[lane] = task.query[task.lanes - 1];
      task.visible[lane] = task.visible[task.lanes - 1];
    }
    for (int64_t v = 0; v < used; ++v) {
      float* query = work.query + v * shape.key_width * width;
      for (int64_t d = 0; d < shape.key_width; ++d) {
        for (int64_t lane = 0; lane < width; ++lane) *query++ = task.query[v * width + lane][d] * shape.scale;
      }
    }
    for (int64_t i = 0; i < used * width * shape.value_width; ++i) work.out[i] = 0;
    for (int64_t lane = 0; lane < lanes; ++lane) {
      work.base[lane] = -__builtin_inff();
      work.sum[lane] = 0;
    }

    attend_together(shape, task, work, used);
    for (int64_t lane = 0; lane < task.lanes;) {
      const int64_t count = of_one_row(task, lane);
      if (count == 1) finish<1>(shape, task, work, lane);
      if (count == 2) finish<2>(shape, task, work, lane);
      if (count == 3) finish<3>(shape, task, work, lane);
      if (count == 4) finish<4>(shape, task, work, lane);
      lane += count;
    }
  }
};

}  // namespace
}  // namespace spct
