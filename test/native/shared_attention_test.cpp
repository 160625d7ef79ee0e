// Attention of rows that share cells against sums in double precision and among other rows, and which nodes the device
// takes.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numeric>
#include <random>
#include <vector>

#include "accel/attention_kernel.h"
#include "accel/shared_attention.h"
#include "attention_case.h"
#include "check.h"

using namespace spct;

namespace {

std::vector<float> causal_mask(const AttentionSizes& sizes) {
  std::vector<float> mask(sizes.rows * sizes.cells, hidden_cell);
  for (int64_t row = 0; row < sizes.rows; ++row) {
    for (int64_t cell = 0; cell <= sizes.cells - sizes.rows + row; ++cell) mask[row * sizes.cells + cell] = 0;
  }
  return mask;
}

std::vector<float> random_mask(const AttentionSizes& sizes) {
  std::mt19937 random(7);
  std::vector<float> mask(sizes.rows * sizes.cells, hidden_cell);
  for (int64_t row = 0; row < sizes.rows; ++row) {
    const double share = std::uniform_real_distribution<double>(0, 1)(random);
    for (int64_t cell = 0; cell < sizes.cells; ++cell) {
      if (std::bernoulli_distribution(share)(random)) mask[row * sizes.cells + cell] = 0;
    }
  }
  return mask;
}

struct Result {
  std::vector<float> query, out;
  int splits;
};

constexpr int64_t least_rows = 8;

Result run(const AttentionCase& attention, int threads) {
  AttentionRun once(attention, threads);
  once.compute();
  return {once.query(), once.out(), once.splits()};
}

Result run_kernel(const AttentionCase& attention, const AttentionKernel& kernel) {
  AttentionRun once(attention, 2);
  once.compute();
  SharedAttention shared(kernel);
  shared.set_threads(2);
  shared.run(once.node());
  return {once.query(), once.out(), once.splits()};
}

// The largest difference from attention in double precision.
double error(const AttentionCase& attention, const Result& result, const std::vector<float>& mask) {
  const AttentionSizes& sizes = attention.sizes;
  const auto at = [&](const ggml_tensor* cache, int64_t cell, int64_t kv_head, int64_t i) -> double {
    const int64_t index = (cell * sizes.kv_heads + kv_head) * sizes.width + i;
    return ggml_fp16_to_fp32(static_cast<const ggml_fp16_t*>(cache->data)[index]);
  };
  double largest = 0;
  for (int64_t row = 0; row < sizes.rows; ++row) {
    for (int64_t head = 0; head < sizes.heads; ++head) {
      const int64_t kv_head = head / (sizes.heads / sizes.kv_heads), first = (row * sizes.heads + head) * sizes.width;
      std::vector<double> expected(sizes.width);
      double sum = 0;
      for (int64_t cell = 0; cell < sizes.cells; ++cell) {
        if (mask[row * sizes.cells + cell] == hidden_cell) continue;
        double score = 0;
        for (int64_t i = 0; i < sizes.width; ++i) {
          score += result.query[first + i] * at(attention.keys, cell, kv_head, i);
        }
        score *= attention.scale();
        if (sizes.softcap != 0) score = sizes.softcap * std::tanh(score / sizes.softcap);
        const double power = std::exp(score);
        sum += power;
        for (int64_t i = 0; i < sizes.width; ++i) expected[i] += power * at(attention.values, cell, kv_head, i);
      }
      for (int64_t i = 0; i < sizes.width; ++i) {
        const double difference = std::abs(result.out[first + i] - (sum == 0 ? 0 : expected[i] / sum));
        if (std::isnan(difference)) return difference;
        if (difference > largest) largest = difference;
      }
    }
  }
  return largest;
}

void is_accurate() {
  const AttentionSizes all[] = {{32, 768, 64, 8, 4},      {33, 700, 128, 8, 2}, {9, 64, 32, 4, 4},
                                {70, 300, 16, 6, 2},      {8, 4096, 256, 2, 1}, {64, 1000, 64, 14, 2},
                                {100, 130, 48, 3, 1},     {12, 40, 64, 24, 1},  {32, 768, 64, 8, 4, 5.0},
                                {20, 512, 96, 5, 1, 50.0}};
  for (const AttentionSizes& sizes : all) {
    for (const auto& mask : {samples_mask(sizes, sizes.cells / 3), causal_mask(sizes), random_mask(sizes)}) {
      const AttentionCase attention(sizes, mask);
      const double plain = error(attention, run(attention, 2), mask);
      for (const AttentionKernel* kernel : available_attention_kernels()) {
        const double ours = error(attention, run_kernel(attention, *kernel), mask);
        CHECK(ours < 1e-5);
        std::printf("%3d rows, %4d cells, width %3d, %2d of %d heads, %s: error %.1e, ggml's %.1e\n", (int)sizes.rows,
                    (int)sizes.cells, (int)sizes.width, (int)sizes.heads, (int)sizes.kv_heads, kernel->name, ours,
                    plain);
      }
      const AttentionSharing sharing({attention.weight}, least_rows);
      const Result result = run(attention, 2);
      CHECK(result.splits == 2);  // the attention alone is ours
      CHECK(result.out == run_kernel(attention, *attention_kernel()).out);
      CHECK(result.out == run(attention, 1).out);
    }
  }
}

// The same cells elsewhere, among rows that see others.
AttentionCase moved(const AttentionSizes& sizes, const std::vector<float>& mask, int64_t every) {
  std::mt19937 random(11);
  std::vector<int64_t> places(sizes.cells);
  std::iota(places.begin(), places.end(), 0);
  std::shuffle(places.begin(), places.end(), random);
  const std::vector<float> others = random_mask(sizes);
  std::vector<float> there(mask.size());
  for (int64_t row = 0; row < sizes.rows; ++row) {
    const std::vector<float>& seen = row % every == 0 ? mask : others;
    for (int64_t cell = 0; cell < sizes.cells; ++cell) {
      there[row * sizes.cells + places[cell]] = seen[row * sizes.cells + cell];
    }
  }
  AttentionCase attention(sizes, there);
  for (ggml_tensor* cache : {attention.keys, attention.values}) {
    const int64_t width = sizes.kv_heads * sizes.width;
    auto* halves = static_cast<ggml_fp16_t*>(cache->data);
    const std::vector<ggml_fp16_t> before(halves, halves + sizes.cells * width);
    for (int64_t cell = 0; cell < sizes.cells; ++cell) {
      std::copy_n(before.begin() + cell * width, width, halves + places[cell] * width);
    }
  }
  return attention;
}

void other_rows_and_places_change_no_bit() {
  const AttentionSizes all[] = {
      {32, 768, 64, 8, 4}, {32, 700, 32, 4, 4}, {40, 512, 128, 10, 2, 5.0}, {9, 300, 48, 8, 1}};
  constexpr int64_t every = 4;
  for (const AttentionSizes& sizes : all) {
    for (const auto& mask : {samples_mask(sizes, sizes.cells / 3), causal_mask(sizes)}) {
      const AttentionCase attention(sizes, mask), elsewhere = moved(sizes, mask, every);
      for (const AttentionKernel* kernel : available_attention_kernels()) {
        const std::vector<float> here = run_kernel(attention, *kernel).out, there = run_kernel(elsewhere, *kernel).out;
        const int64_t values = sizes.heads * sizes.width;
        for (int64_t row = 0; row < sizes.rows; row += every) {
          const auto begin = here.begin() + row * values;
          CHECK(std::equal(begin, begin + values, there.begin() + row * values));
        }
      }
    }
  }
}

void large_scores_are_weighed() {
  const AttentionSizes sizes{16, 256, 64, 4, 2};
  const std::vector<float> mask = samples_mask(sizes, 85);
  const AttentionCase attention(sizes, mask);
  auto* keys = static_cast<ggml_fp16_t*>(attention.keys->data);
  for (int64_t i = 0; i < ggml_nelements(attention.keys); ++i) {
    keys[i] = ggml_fp32_to_fp16(200 * ggml_fp16_to_fp32(keys[i]));
  }
  for (const AttentionKernel* kernel : available_attention_kernels()) {
    CHECK(error(attention, run_kernel(attention, *kernel), mask) < 1e-3);  // scores of hundreds are rounded themselves
  }
}

void not_a_number_stays() {
  const AttentionSizes sizes{16, 256, 64, 4, 2};
  const std::vector<float> mask = samples_mask(sizes, 85);
  for (const int64_t cell : {3, 250}) {  // one that many rows see, and one of a single row
    const AttentionCase attention(sizes, mask);
    auto* keys = static_cast<ggml_fp16_t*>(attention.keys->data);
    keys[cell * sizes.kv_heads * sizes.width] = ggml_fp32_to_fp16(std::nanf(""));
    for (const AttentionKernel* kernel : available_attention_kernels()) {
      const std::vector<float> out = run_kernel(attention, *kernel).out;
      for (int64_t row = 0; row < sizes.rows; ++row) {
        const bool sees = mask[row * sizes.cells + cell] == 0;
        CHECK(std::isnan(out[row * sizes.heads * sizes.width]) == sees);
      }
    }
  }
}

void takes_only_what_it_can() {
  const AttentionSizes sizes{16, 256, 64, 4, 2}, few{7, 256, 64, 4, 2};
  const AttentionCase given(sizes, samples_mask(sizes, 85)), small(few, samples_mask(few, 85));
  const AttentionNodes nodes(given), small_nodes(small);
  const auto takes = [](const ggml_tensor* node) { return ggml_backend_dev_supports_op(accel_device(), node); };
  CHECK(!takes(nodes.out));  // another model's
  const AttentionSharing sharing({given.weight, small.weight}, least_rows);
  CHECK(takes(nodes.out));
  CHECK(!takes(small_nodes.out));
  ggml_context* graph = nodes.context.get();
  ggml_tensor* quantized = ggml_cast(graph, given.keys, GGML_TYPE_Q8_0);
  ggml_tensor* unknown = ggml_new_tensor_3d(graph, GGML_TYPE_F32, sizes.width, sizes.heads, sizes.rows);
  CHECK(takes(nodes.attention(given, nodes.query, given.keys, given.mask, 0)));
  CHECK(!takes(nodes.attention(given, nodes.query, given.keys, given.mask, 8)));  // a bias that grows with the distance
  CHECK(!takes(nodes.attention(given, nodes.query, given.keys, nullptr, 0)));
  CHECK(!takes(nodes.attention(given, nodes.query, quantized, given.mask, 0)));
  CHECK(!takes(nodes.attention(given, unknown, given.keys, given.mask, 0)));
  ggml_flash_attn_ext_add_sinks(nodes.out, ggml_new_tensor_1d(graph, GGML_TYPE_F32, sizes.heads));
  CHECK(!takes(nodes.out));
}

}  // namespace

int main() {
  if (attention_sharing_support().empty()) return 77;
  register_accel_device();
  is_accurate();
  other_rows_and_places_change_no_bit();
  large_scores_are_weighed();
  not_a_number_stays();
  takes_only_what_it_can();
  return check_result();
}
