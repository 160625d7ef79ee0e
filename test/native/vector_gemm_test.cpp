// Our own products, in every instruction set this machine has, against sums in double precision.
#include "accel/vector_gemm.h"

#include <ggml.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <utility>
#include <vector>

#include "accel/gemm_kernel.h"
#include "accel/weight_rows.h"
#include "check.h"
#include "noise.h"

using namespace spct;

namespace {

// A matrix of noise with its memory.
struct Weight {
  std::unique_ptr<ggml_context, decltype(&ggml_free)> context;
  ggml_tensor* tensor;

  Weight(ggml_type type, int64_t rows, int64_t columns)
      : context(ggml_init({static_cast<size_t>(rows * columns * 4 + 4096), nullptr, false}), ggml_free),
        tensor(ggml_new_tensor_2d(context.get(), type, columns, rows)) {
    ggml_quantize_chunk(type, noise(rows * columns, 1).data(), tensor->data, 0, rows, columns, nullptr);
  }
};

std::vector<float> product(const Gemm& gemm, const PackedMatrix& packed, const std::vector<float>& values,
                           int64_t count, int threads) {
  std::vector<float> out(count * packed.rows(), NAN);
  const std::unique_ptr<PackedProduct> product = gemm.new_product();
  product->set_threads(threads);
  product->run(packed, values.data(), count, out.data(), false);
  return out;
}

bool is_int8(const GemmKernel& kernel, ggml_type type) {
  return kernel.multiply_int8 != nullptr && type == GGML_TYPE_Q8_0;
}

// The values that a copy multiplies with: as they are or rounded to bfloat16.
std::vector<float> multiplied(const Weight& weight, bool int8) {
  const int64_t columns = weight.tensor->ne[0];
  std::vector<float> values(ggml_nelements(weight.tensor));
  for (int64_t row = 0; row < weight.tensor->ne[1]; ++row) {
    row_to_float(weight.tensor, row, values.data() + row * columns);
  }
  if (int8 || !packs_as_bf16(weight.tensor)) return values;
  for (float& value : values) {
    const uint32_t bits = static_cast<uint32_t>(to_bf16(value)) << 16;
    std::memcpy(&value, &bits, sizeof value);
  }
  return values;
}

// The rows that a copy is multiplied with: as they are or, in blocks with a scale each, rounded to 16 bits.
std::vector<float> multiplied(std::vector<float> values, bool int8) {
  if (!int8) return values;
  for (auto block = values.begin(); block != values.end(); block += int8_block) {
    float most = 0;
    for (int64_t k = 0; k < int8_block; ++k) most = std::max(most, std::abs(block[k]));
    for (int64_t k = 0; k < int8_block; ++k) block[k] = std::nearbyint(block[k] * (32767 / most)) * (most / 32767);
  }
  return values;
}

void equals_double_sums(const Gemm& gemm, const GemmKernel& kernel) {
  struct Shape {
    int64_t rows, columns;
  };
  for (const auto& [rows, columns] : {Shape{2, 32}, Shape{15, 64}, Shape{33, 512}, Shape{64, 544}, Shape{129, 1536}}) {
    for (const ggml_type type : {GGML_TYPE_F32, GGML_TYPE_F16, GGML_TYPE_BF16, GGML_TYPE_Q8_0, GGML_TYPE_Q4_0}) {
      const Weight weight(type, rows, columns);
      const std::vector<float> matrix = multiplied(weight, is_int8(kernel, type));
      const std::unique_ptr<PackedMatrix> packed = gemm.pack(weight.tensor, 0, 2);
      CHECK(packed->bytes() == gemm.bytes_for(weight.tensor));
      for (const int64_t count : {1, 2, 3, 5, 6, 7, 8, 13, 32, 96, 97, 200}) {
        const std::vector<float> values = noise(count * columns, 2);
        const std::vector<float> out = product(gemm, *packed, values, count, 2);
        CHECK(out == product(gemm, *packed, values, count, 3));
        const std::vector<float> factors = multiplied(values, is_int8(kernel, type));
        double worst = 0;
        for (int64_t row = 0; row < count; ++row) {
          for (int64_t i = 0; i < rows; ++i) {
            double sum = 0;
            for (int64_t k = 0; k < columns; ++k) sum += double{matrix[i * columns + k]} * factors[row * columns + k];
            const double difference = std::abs(out[row * rows + i] - sum) / std::sqrt(double(columns));
            worst = difference <= worst ? worst : difference;  // NaN stays
          }
        }
        CHECK(worst < 1e-5);
      }
    }
  }
}

void a_row_does_not_depend_on_the_others(const Gemm& gemm) {
  constexpr int64_t rows = 70, columns = 1056, count = 101;
  const Weight weight(GGML_TYPE_Q8_0, rows, columns);
  const std::unique_ptr<PackedMatrix> packed = gemm.pack(weight.tensor, 0, 1);
  const std::vector<float> values = noise(count * columns, 3);
  const std::vector<float> together = product(gemm, *packed, values, count, 1);
  for (int64_t row = 0; row < count; ++row) {
    const std::vector<float> one(values.begin() + row * columns, values.begin() + (row + 1) * columns);
    const std::vector<float> alone = product(gemm, *packed, one, 1, 1);
    CHECK(std::equal(alone.begin(), alone.end(), together.begin() + row * rows));
  }
}

void the_first_rows_can_be_packed_alone(const Gemm& gemm) {
  const Weight weight(GGML_TYPE_Q8_0, 64, 32);
  const std::vector<float> values = noise(8 * 32, 4);
  const std::unique_ptr<PackedMatrix> all = gemm.pack(weight.tensor, 0, 1), some = gemm.pack(weight.tensor, 20, 1);
  CHECK(some->rows() == 20 && some->columns() == 32);
  const std::vector<float> whole = product(gemm, *all, values, 8, 1), part = product(gemm, *some, values, 8, 1);
  for (int64_t row = 0; row < 8; ++row) {
    CHECK(std::equal(part.begin() + row * 20, part.begin() + (row + 1) * 20, whole.begin() + row * 64));
  }
}

void what_is_not_finite_shows_in_its_row_alone(const Gemm& gemm) {
  constexpr int64_t rows = 20, columns = 96, count = 7;
  for (const ggml_type type : {GGML_TYPE_F32, GGML_TYPE_BF16, GGML_TYPE_Q8_0}) {
    const Weight weight(type, rows, columns);
    const std::unique_ptr<PackedMatrix> packed = gemm.pack(weight.tensor, 0, 1);
    for (const float bad : {NAN, INFINITY, -INFINITY}) {
      std::vector<float> values = noise(count * columns, 5);
      values[3 * columns + 50] = bad;
      const std::vector<float> out = product(gemm, *packed, values, count, 2);
      for (int64_t i = 0; i < count * rows; ++i) CHECK(std::isfinite(out[i]) == (i / rows != 3));
    }
    const std::vector<float> nothing = product(gemm, *packed, std::vector<float>(columns, 0.0f), 1, 1);
    CHECK(nothing == std::vector<float>(rows, 0.0f));
  }
}

void the_same_values_may_meet_matrices_of_several_types(const Gemm& gemm) {
  constexpr int64_t rows = 40, columns = 64, count = 5;
  const Weight quantized(GGML_TYPE_Q8_0, rows, columns), floats(GGML_TYPE_F32, rows, columns);
  const auto bytes = gemm.pack(quantized.tensor, 0, 1), whole = gemm.pack(floats.tensor, 0, 1);
  const std::unique_ptr<PackedProduct> shared = gemm.new_product();
  bool same = false;
  const auto equals_alone = [&](const PackedMatrix& packed, const std::vector<float>& values) {
    std::vector<float> out(count * rows);
    shared->run(packed, values.data(), count, out.data(), std::exchange(same, true));
    CHECK(out == product(gemm, packed, values, count, 1));
  };
  int seed = 6;
  for (const auto& order : {std::vector{whole.get(), bytes.get(), whole.get(), bytes.get()},
                            std::vector{bytes.get(), bytes.get(), whole.get()}, std::vector{bytes.get()}}) {
    const std::vector<float> values = noise(count * columns, seed++);
    same = false;
    for (const PackedMatrix* packed : order) equals_alone(*packed, values);
  }
}

}  // namespace

int main() {
  const auto kernels = available_gemm_kernels();
  if (kernels.empty()) return 77;
  for (const GemmKernel* kernel : kernels) {
    std::printf("%s\n", kernel->name);
    const std::unique_ptr<Gemm> gemm = vector_gemm(*kernel);
    equals_double_sums(*gemm, *kernel);
    a_row_does_not_depend_on_the_others(*gemm);
    the_first_rows_can_be_packed_alone(*gemm);
    what_is_not_finite_shows_in_its_row_alone(*gemm);
    the_same_values_may_meet_matrices_of_several_types(*gemm);
  }
  return check_result();
}
