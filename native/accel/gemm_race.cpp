#include "accel/gemm_race.h"

#include <emmintrin.h>
#include <ggml-backend.h>
#include <ggml-cpu.h>
#include <ggml.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <memory>
#include <vector>

#include "accel/gemm.h"

namespace spct {

namespace {

constexpr int64_t row_counts[] = {2, 4, 8, 16, 32};
constexpr int rounds = 3;
constexpr double clearly = 0.9;
constexpr int64_t most_values = int64_t{1} << 23;  // of the weight, so that a large one does not take long

// Out of all caches, as in a model, whose other weights come between two products with this one.
void evict(const void* data, size_t bytes) {
  constexpr size_t line = 64;
  for (size_t at = 0; at < bytes; at += line) _mm_clflush(static_cast<const char*>(data) + at);
  _mm_mfence();
}

template <class Work>
double seconds_of(const Work& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// ggml's own product of the first `weight_rows` rows of a weight with `count` rows.
class PlainProduct {
 public:
  PlainProduct(const ggml_tensor* weight, int64_t weight_rows, int64_t count, int threads)
      : context_(ggml_init({ggml_tensor_overhead() * 8 + 2 * ggml_graph_overhead(), nullptr, true}), ggml_free),
        backend_(ggml_backend_cpu_init(), ggml_backend_free) {
    ggml_backend_cpu_set_n_threads(backend_.get(), threads);
    values_.assign(weight->ne[0] * count, 0.5f);
    out_.resize(weight_rows * count);
    ggml_tensor* matrix = ggml_new_tensor_2d(context_.get(), weight->type, weight->ne[0], weight_rows);
    matrix->data = weight->data;
    ggml_tensor* values = ggml_new_tensor_2d(context_.get(), GGML_TYPE_F32, weight->ne[0], count);
    values->data = values_.data();
    ggml_tensor* product = ggml_mul_mat(context_.get(), matrix, values);
    product->data = out_.data();
    graph_ = ggml_new_graph(context_.get());
    ggml_build_forward_expand(graph_, product);
    ggml_tensor* nothing = ggml_scale(context_.get(), ggml_view_1d(context_.get(), values, 1, 0), 1.0f);
    nothing->data = values_.data();
    start_ = ggml_new_graph(context_.get());
    ggml_build_forward_expand(start_, nothing);
  }

  double seconds() const {
    return seconds_of([&] { ggml_backend_graph_compute(backend_.get(), graph_); });
  }
  // What it takes to begin and end a graph, which a product on another device makes ggml do once more.
  double seconds_of_start() const {
    return seconds_of([&] { ggml_backend_graph_compute(backend_.get(), start_); });
  }
  const float* values() const { return values_.data(); }
  float* out() { return out_.data(); }

 private:
  const std::unique_ptr<ggml_context, decltype(&ggml_free)> context_;
  const std::unique_ptr<ggml_backend, decltype(&ggml_backend_free)> backend_;
  std::vector<float> values_, out_;
  ggml_cgraph* graph_;
  ggml_cgraph* start_;
};

}  // namespace

int64_t least_faster_rows(const ggml_tensor* weight, int threads) {
  const int64_t weight_rows = std::clamp<int64_t>(most_values / weight->ne[0], 1, weight->ne[1]);
  const std::unique_ptr<PackedMatrix> packed = gemm()->pack(weight, weight_rows, threads);
  const std::unique_ptr<PackedProduct> product = gemm()->new_product();
  product->set_threads(threads);
  for (const int64_t count : row_counts) {
    PlainProduct plain(weight, weight_rows, count, threads);
    const auto run_packed = [&] { product->run(*packed, plain.values(), count, plain.out(), false); };
    run_packed();  // oneDNN generates its code
    double start = std::numeric_limits<double>::infinity(), ours = start, theirs = start;
    for (int round = 0; round < rounds; ++round) {
      evict(weight->data, weight_rows * weight->nb[1]);
      theirs = std::min(theirs, plain.seconds());
      start = std::min(start, plain.seconds_of_start());
      evict(packed->data(), packed->bytes());
      ours = std::min(ours, seconds_of(run_packed));
    }
    if (ours + start < clearly * (theirs - start)) return count;
  }
  return 0;
}

}  // namespace spct
