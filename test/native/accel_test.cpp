// Products with packed weights against sums in double precision and against ggml's own, and who is given which product.
#include <ggml-backend-impl.h>
#include <ggml-backend.h>
#include <ggml-cpu.h>
#include <ggml.h>

#include <cmath>
#include <cstdio>
#include <memory>
#include <vector>

#include "accel/accel_device.h"
#include "accel/packed_weights.h"
#include "check.h"
#include "error.h"
#include "noise.h"

using namespace spct;

namespace {

using Context = std::unique_ptr<ggml_context, decltype(&ggml_free)>;
using Backend = std::unique_ptr<ggml_backend, decltype(&ggml_backend_free)>;
using Buffer = std::unique_ptr<ggml_backend_buffer, decltype(&ggml_backend_buffer_free)>;
using Scheduler = std::unique_ptr<ggml_backend_sched, decltype(&ggml_backend_sched_free)>;

Context new_context() { return {ggml_init({size_t{1} << 20, nullptr, /*no_alloc=*/true}), ggml_free}; }

// A weight [rows, columns] of noise in host memory, as llama.cpp has it.
struct Weight {
  Context context = new_context();
  ggml_tensor* tensor;
  Buffer buffer;

  Weight(ggml_type type, int64_t rows, int64_t columns, uint32_t seed)
      : tensor(ggml_new_tensor_2d(context.get(), type, columns, rows)),
        buffer(ggml_backend_alloc_ctx_tensors_from_buft(context.get(), ggml_backend_cpu_buffer_type()),
               ggml_backend_buffer_free) {
    ggml_backend_buffer_set_usage(buffer.get(), GGML_BACKEND_BUFFER_USAGE_WEIGHTS);
    ggml_quantize_chunk(type, noise(rows * columns, seed).data(), tensor->data, 0, rows, columns, nullptr);
  }

  std::vector<float> values() const {
    std::vector<float> out(ggml_nelements(tensor));
    if (tensor->type == GGML_TYPE_F32) {
      ggml_backend_tensor_get(tensor, out.data(), 0, ggml_nbytes(tensor));
    } else {
      ggml_get_type_traits(tensor->type)->to_float(tensor->data, out.data(), ggml_nelements(tensor));
    }
    return out;
  }
};

ggml_backend_dev_t device() { return ggml_backend_dev_by_name("spct"); }

void set_threads(ggml_backend_t backend, int threads) {
  ggml_backend_reg_t reg = ggml_backend_dev_backend_reg(ggml_backend_get_device(backend));
  void* function = ggml_backend_reg_get_proc_address(reg, "ggml_backend_set_n_threads");
  reinterpret_cast<ggml_backend_set_n_threads_t>(function)(backend, threads);
}

// tanh(first * values) twice and `second` times their sum, on the devices that the scheduler chooses.
struct Run {
  std::vector<float> product, last;
  int splits = 0;

  Run(const Weight& first, const Weight& second, int64_t count, int threads, const std::vector<float>& values) {
    const Backend ours(ggml_backend_dev_init(device(), nullptr), ggml_backend_free);
    const Backend cpu(ggml_backend_cpu_init(), ggml_backend_free);
    ggml_backend_t backends[] = {ours.get(), cpu.get()};
    for (ggml_backend_t backend : backends) set_threads(backend, threads);
    const Scheduler scheduler(ggml_backend_sched_new(backends, nullptr, 2, 64, false, true), ggml_backend_sched_free);
    const Context context = new_context();
    ggml_tensor* rows = ggml_new_tensor_2d(context.get(), GGML_TYPE_F32, first.tensor->ne[0], count);
    ggml_set_input(rows);
    ggml_tensor* once = ggml_mul_mat(context.get(), first.tensor, rows);
    ggml_set_output(once);
    ggml_tensor* again = ggml_mul_mat(context.get(), first.tensor, rows);
    ggml_tensor* sum = ggml_add(context.get(), ggml_tanh(context.get(), once), ggml_tanh(context.get(), again));
    ggml_tensor* end = ggml_mul_mat(context.get(), second.tensor, sum);
    ggml_set_output(end);
    ggml_cgraph* graph = ggml_new_graph(context.get());
    ggml_build_forward_expand(graph, end);
    CHECK(ggml_backend_sched_alloc_graph(scheduler.get(), graph));
    ggml_backend_tensor_set(rows, values.data(), 0, ggml_nbytes(rows));
    CHECK(ggml_backend_sched_graph_compute(scheduler.get(), graph) == GGML_STATUS_SUCCESS);
    splits = ggml_backend_sched_get_n_splits(scheduler.get());
    product.resize(ggml_nelements(once));
    ggml_backend_tensor_get(once, product.data(), 0, ggml_nbytes(once));
    last.resize(ggml_nelements(end));
    ggml_backend_tensor_get(end, last.data(), 0, ggml_nbytes(end));
  }
};

// Root of the mean square of the difference, over that of the expected.
double distance(const std::vector<float>& values, const std::vector<double>& expected) {
  double difference = 0, size = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    difference += (values[i] - expected[i]) * (values[i] - expected[i]);
    size += expected[i] * expected[i];
  }
  return std::sqrt(difference / size);
}

std::vector<double> in_double(const Weight& weight, const std::vector<float>& rows, int64_t count) {
  const std::vector<float> matrix = weight.values();
  const int64_t columns = weight.tensor->ne[0], out = weight.tensor->ne[1];
  std::vector<double> product(count * out);
  for (int64_t row = 0; row < count; ++row) {
    for (int64_t i = 0; i < out; ++i) {
      double sum = 0;
      for (int64_t j = 0; j < columns; ++j) sum += double{matrix[i * columns + j]} * rows[row * columns + j];
      product[row * out + i] = sum;
    }
  }
  return product;
}

PackingOptions all_on(int threads) {
  PackingOptions options;
  options.threads = threads;
  options.measure = false;
  options.least_rows = 8;
  return options;
}

void products_are_accurate() {
  struct Shape {
    int64_t rows, columns, count;
  };
  const Shape shapes[] = {{256, 512, 8}, {257, 256, 33}, {1000, 768, 100}};
  const ggml_type types[] = {GGML_TYPE_F32,  GGML_TYPE_F16,  GGML_TYPE_BF16, GGML_TYPE_Q8_0,
                             GGML_TYPE_Q4_0, GGML_TYPE_Q4_K, GGML_TYPE_Q6_K};
  for (const auto& [rows, columns, count] : shapes) {
    const Weight second(GGML_TYPE_F32, 64, rows, 3);
    const std::vector<float> values = noise(count * columns, 2);
    for (const ggml_type type : types) {
      const Weight weight(type, rows, columns, 1);
      const std::vector<double> expected = in_double(weight, values, count);
      const double plain = distance(Run(weight, second, count, 2, values).product, expected);
      const PackedWeights packed({weight.tensor}, all_on(2));
      CHECK(packed.count() == 1 && packed.least_rows() == 8);
      const Run run(weight, second, count, 2, values);
      const double ours = distance(run.product, expected);
      const bool whole_floats = type == GGML_TYPE_F32 || type == GGML_TYPE_F16;
      CHECK(ours < (whole_floats ? 1e-5 : 4e-3));
      if (ggml_is_quantized(type)) CHECK(ours < plain);
      const bool keeps_bytes = type == GGML_TYPE_Q8_0 && gemm_support().description == "AVX2";
      const size_t least_bytes = whole_floats ? 4 : keeps_bytes ? 1 : 2;
      CHECK(packed.bytes() >= least_bytes * rows * columns);
      std::printf("%-5s %4d x %4d, %3d rows: error %.1e, ggml's %.1e\n", ggml_type_name(type), (int)rows, (int)columns,
                  (int)count, ours, plain);
    }
  }
}

void threads_give_the_same() {
  const Weight first(GGML_TYPE_Q8_0, 512, 256, 1), second(GGML_TYPE_Q8_0, 128, 512, 2);
  const std::vector<float> values = noise(24 * 256, 3);
  const PackedWeights packed({first.tensor, second.tensor}, all_on(2));
  const Run one(first, second, 24, 1, values), two(first, second, 24, 2, values);
  CHECK(one.product == two.product);
  CHECK(one.last == two.last);
}

void a_row_is_the_same_alone_where_told_so() {
  const Weight first(GGML_TYPE_Q8_0, 512, 256, 1), second(GGML_TYPE_F32, 128, 512, 2);
  const std::vector<float> values = noise(24 * 256, 3);
  PackingOptions options = all_on(1);
  options.least_rows = 0;
  options.batch_invariant = true;
  const PackedWeights packed({first.tensor, second.tensor}, options);
  CHECK(packed.least_rows() == 1);
  CHECK(packed.gemm().rfind("AVX", 0) == 0);
  const Run together(first, second, 24, 1, values);
  const Run alone(first, second, 1, 1, {values.begin() + 5 * 256, values.begin() + 6 * 256});
  CHECK(std::equal(alone.product.begin(), alone.product.end(), together.product.begin() + 5 * 512));
  CHECK(std::equal(alone.last.begin(), alone.last.end(), together.last.begin() + 5 * 128));
}

void only_claimed_products_are_taken() {
  const Weight first(GGML_TYPE_BF16, 512, 256, 1), second(GGML_TYPE_F32, 128, 512, 2);
  const std::vector<float> values = noise(16 * 256, 3);
  CHECK(Run(first, second, 16, 1, values).splits == 1);
  const Run plain(first, second, 16, 1, values);
  {
    const PackedWeights packed({first.tensor, second.tensor}, all_on(1));
    CHECK(Run(first, second, 16, 1, values).splits == 5);  // product, tanh, product, tanh and sum, product
    CHECK(Run(first, second, 7, 1, values).splits == 1);   // too few rows
    const Context context = new_context();
    ggml_tensor* rows = ggml_new_tensor_2d(context.get(), GGML_TYPE_F32, 256, 16);
    ggml_tensor* exact = ggml_mul_mat(context.get(), first.tensor, rows);
    CHECK(ggml_backend_dev_supports_op(device(), exact));
    ggml_prec_set_acc(exact, GGML_PREC_F32);
    CHECK(!ggml_backend_dev_supports_op(device(), exact));
    ggml_tensor* unrounded = ggml_mul_mat(context.get(), first.tensor, rows);
    CHECK(ggml_prec_set_src(unrounded, GGML_PREC_F32, 1));
    CHECK(!ggml_backend_dev_supports_op(device(), unrounded));
    CHECK(!ggml_backend_dev_supports_op(device(), ggml_tanh(context.get(), rows)));
  }
  const Run after(first, second, 16, 1, values);
  CHECK(after.splits == 1 && after.last == plain.last);
}

// Values that one product rounded must not serve a product that needs them whole, nor the other way round.
void weights_of_both_kinds_share_rows() {
  const Weight whole(GGML_TYPE_F32, 64, 256, 1), rounded(GGML_TYPE_Q8_0, 64, 256, 2);
  const std::vector<float> values = noise(16 * 256, 3), others = noise(16 * 256, 4);
  const PackedWeights packed({whole.tensor, rounded.tensor}, all_on(1));
  const Backend backend(ggml_backend_dev_init(device(), nullptr), ggml_backend_free);
  const Context context = new_context();
  ggml_tensor* first = ggml_new_tensor_2d(context.get(), GGML_TYPE_F32, 256, 16);
  ggml_tensor* second = ggml_new_tensor_2d(context.get(), GGML_TYPE_F32, 256, 16);
  ggml_cgraph* graph = ggml_new_graph(context.get());
  std::vector<ggml_tensor*> products;
  for (const auto& [weight, rows] : {std::pair{&rounded, first}, std::pair{&whole, second}, std::pair{&rounded, second},
                                     std::pair{&whole, second}, std::pair{&rounded, second}}) {
    products.push_back(ggml_mul_mat(context.get(), weight->tensor, rows));
    ggml_build_forward_expand(graph, products.back());
  }
  const Buffer buffer(ggml_backend_alloc_ctx_tensors(context.get(), backend.get()), ggml_backend_buffer_free);
  ggml_backend_tensor_set(first, others.data(), 0, ggml_nbytes(first));
  ggml_backend_tensor_set(second, values.data(), 0, ggml_nbytes(second));
  CHECK(ggml_backend_graph_compute(backend.get(), graph) == GGML_STATUS_SUCCESS);
  const auto check = [&](size_t product, const Weight& weight, const std::vector<float>& rows) {
    std::vector<float> out(ggml_nelements(products[product]));
    ggml_backend_tensor_get(products[product], out.data(), 0, ggml_nbytes(products[product]));
    CHECK(distance(out, in_double(weight, rows, 16)) < 4e-3);
  };
  check(0, rounded, others);
  for (const size_t product : {1, 3}) check(product, whole, values);
  for (const size_t product : {2, 4}) check(product, rounded, values);
}

void only_what_is_faster_is_packed() {
  const Weight small(GGML_TYPE_Q8_0, 32, 32, 1), vector(GGML_TYPE_F32, 1, 64, 2);
  PackingOptions options;
  options.threads = 2;
  CHECK(PackedWeights({small.tensor}, options).count() == 0);
  CHECK(PackedWeights({vector.tensor}, all_on(1)).count() == 0);
  options = all_on(1);
  options.most_bytes = 32 * 32;
  const PackedWeights none({small.tensor}, options);
  CHECK(none.count() == 0 && none.bytes() == 0 && none.least_rows() == 0);
}

void measured_products_are_right() {
  constexpr int64_t rows = 256, columns = 256, most_rows = 32;
  const Weight weight(GGML_TYPE_Q8_0, rows, columns, 1), second(GGML_TYPE_F32, 64, rows, 2);
  PackingOptions options;
  options.threads = 2;
  const PackedWeights packed({weight.tensor}, options);
  const int64_t least = packed.least_rows();
  std::printf("faster from %d rows on\n", static_cast<int>(least));
  CHECK(least == 0 || least == 2 || least == 4 || least == 8 || least == 16 || least == 32);
  CHECK(packed.count() == (least == 0 ? 0 : 1));
  const std::vector<float> values = noise(most_rows * columns, 3);
  const Run run(weight, second, most_rows, 2, values);
  CHECK((run.splits > 1) == (least > 0));
  CHECK(distance(run.product, in_double(weight, values, most_rows)) < 6e-3);
}

void copies_of_all_models_are_counted() {
  const Weight weight(GGML_TYPE_BF16, 64, 64, 1);
  CHECK(PackedWeights::bytes_of_all() == 0);
  {
    const PackedWeights first({weight.tensor}, all_on(1));
    const Weight other(GGML_TYPE_F32, 64, 128, 2);
    const PackedWeights second({other.tensor}, all_on(1));
    CHECK(PackedWeights::bytes_of_all() == first.bytes() + second.bytes());
  }
  CHECK(PackedWeights::bytes_of_all() == 0);
}

void copies_that_no_memory_holds_are_an_error() {
  const Context context = new_context();
  const ggml_tensor* endless = ggml_new_tensor_2d(context.get(), GGML_TYPE_F32, int64_t{1} << 20, int64_t{1} << 30);
  try {
    const PackedWeights packed({endless}, all_on(1));
    CHECK(false);
  } catch (const Error& error) {
    CHECK(error.code() == "OUT_OF_MEMORY");
  }
}

// A weight without values can be asked about only while nobody multiplies with it.
void a_shape_is_measured_once() {
  const Weight weight(GGML_TYPE_Q8_0, 256, 512, 1);
  PackingOptions options;
  const PackedWeights first({weight.tensor}, options), second({weight.tensor}, options);
  CHECK(first.least_rows() == second.least_rows());
  const Context context = new_context();
  const ggml_tensor* without_values = ggml_new_tensor_2d(context.get(), GGML_TYPE_Q8_0, 512, 256);
  options.most_bytes = 0;
  CHECK(PackedWeights({without_values}, options).count() == 0);
}

ggml_backend_reg_t two_gpus() {
  static ggml_backend_device gpus[2];
  for (ggml_backend_device& gpu : gpus) {
    gpu.iface.get_name = gpu.iface.get_description = [](ggml_backend_dev_t) { return "a GPU"; };
    gpu.iface.get_type = [](ggml_backend_dev_t) { return GGML_BACKEND_DEVICE_TYPE_GPU; };
  }
  static ggml_backend_reg reg = {};
  reg.api_version = GGML_BACKEND_API_VERSION;
  reg.iface.get_name = [](ggml_backend_reg_t) { return "GPUs"; };
  reg.iface.get_device_count = [](ggml_backend_reg_t) { return size_t{2}; };
  reg.iface.get_device = [](ggml_backend_reg_t, size_t index) { return &gpus[index]; };
  return &reg;
}

void nothing_is_packed_beside_several_gpus() {
  const Weight weight(GGML_TYPE_F32, 64, 64, 1);
  CHECK(PackedWeights({weight.tensor}, all_on(1)).count() == 1);
  ggml_backend_register(two_gpus());
  CHECK(!gemm_support().available);
  CHECK(PackedWeights({weight.tensor}, all_on(1)).count() == 0);
}

}  // namespace

int main() {
  const GemmSupport support = gemm_support();
  std::printf("%s\n", support.description.c_str());
  register_accel_device();
  CHECK((device() != nullptr) == support.available);
  if (!support.available) {
    CHECK(PackedWeights({Weight(GGML_TYPE_F32, 64, 64, 1).tensor}, all_on(1)).count() == 0);
    return check_result() == 0 ? 77 : 1;
  }
  products_are_accurate();
  threads_give_the_same();
  a_row_is_the_same_alone_where_told_so();
  only_claimed_products_are_taken();
  weights_of_both_kinds_share_rows();
  only_what_is_faster_is_packed();
  measured_products_are_right();
  copies_that_no_memory_holds_are_an_error();
  copies_of_all_models_are_counted();
  a_shape_is_measured_once();
  nothing_is_packed_beside_several_gpus();
  return check_result();
}
