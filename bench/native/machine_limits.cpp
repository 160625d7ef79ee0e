// What this machine does at best: memory bandwidth by a triad over arrays that fit in no cache, multiply-add throughput
// of its vector units in registers, and ggml's own matrix product, which has to load what it multiplies.
//   machine_limits [threads] [rounds] [type...]
// Prints one JSON object; each figure is the best of the rounds. Types of the product's weights, as ggml names them:
// q8_0 unless others are given.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include "ggml-backend.h"
#include "ggml-cpu.h"
#include "ggml.h"

namespace {

double seconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void on_threads(int threads, const std::function<void(int)>& work) {
  std::vector<std::thread> others;
  for (int i = 1; i < threads; ++i) others.emplace_back(work, i);
  work(0);
  for (auto& other : others) other.join();
}

double best_rate(int rounds, double amount, const std::function<void()>& work) {
  double best = seconds_of(work);
  for (int i = 1; i < rounds; ++i) best = std::min(best, seconds_of(work));
  return amount / best;
}

// a = b + s c. Counts three arrays, as STREAM does: the read that a store to `a` may cost is not counted.
double triad_bytes_per_second(int threads, int rounds) {
  constexpr size_t count = size_t{16} << 20;  // floats of one array: 64 MiB
  std::vector<float> a(count), b(count, 1.0f), c(count, 2.0f);
  return best_rate(rounds, 3.0 * sizeof(float) * count, [&] {
    on_threads(threads, [&](int thread) {
      const size_t begin = count * thread / threads, end = count * (thread + 1) / threads;
      for (size_t i = begin; i < end; ++i) a[i] = b[i] + 3.0f * c[i];
    });
  });
}

double read_bytes_per_second(int threads, int rounds) {
  constexpr size_t count = size_t{32} << 20;  // 128 MiB
  const std::vector<uint32_t> values(count, 1);
  std::vector<uint32_t> sums(threads);
  const double rate = best_rate(rounds, sizeof(uint32_t) * count, [&] {
    on_threads(threads, [&](int thread) {
      uint32_t sum = 0;
      for (size_t i = count * thread / threads; i < count * (thread + 1) / threads; ++i) sum += values[i];
      sums[thread] = sum;
    });
  });
  uint64_t total = 0;
  for (const uint32_t sum : sums) total += sum;
  if (total == 0) std::abort();  // keeps the compiler from dropping the loop
  return rate;
}

constexpr int accumulators = 12;
constexpr int64_t register_steps = 2'000'000;

volatile float kept;  // results end up here, so that no loop is dropped

// Operations per second of `step`, which multiplies and adds `lanes` numbers on each of the accumulators. The empty asm
// makes every accumulator opaque, so that no step is merged with the next.
template <class Vector, class Step>
double register_rate(int threads, int rounds, int lanes, Step step) {
  return best_rate(rounds, 2.0 * lanes * accumulators * register_steps * threads, [&] {
    on_threads(threads, [&](int) {
      Vector sums[accumulators] = {};
      for (int64_t i = 0; i < register_steps; ++i) {
        for (auto& sum : sums) {
          sum = step(sum);
          asm volatile("" : "+x"(sum));
        }
      }
      Vector total = sums[0];
      kept = reinterpret_cast<const float*>(&total)[0];
    });
  });
}

void print_vector_rates(int threads, int rounds) {
#if defined(__AVX512F__)
  const __m512 x = _mm512_set1_ps(0.5f);
  std::printf(",\"f32\":%.4g",
              register_rate<__m512>(threads, rounds, 16, [x](__m512 sum) { return _mm512_fmadd_ps(x, x, sum); }));
#elif defined(__FMA__)
  using Vector = float __attribute__((vector_size(32)));
  const Vector x = Vector{} + 0.5f;
  std::printf(",\"f32\":%.4g", register_rate<Vector>(threads, rounds, 8, [x](Vector sum) { return x * x + sum; }));
#endif
#if defined(__AVX512BF16__)
  const auto y = (__m512bh)_mm512_set1_epi32(0x3f003f00);
  std::printf(",\"bf16\":%.4g",
              register_rate<__m512>(threads, rounds, 32, [y](__m512 sum) { return _mm512_dpbf16_ps(sum, y, y); }));
#endif
#if defined(__AVX512VNNI__)
  const __m512i z = _mm512_set1_epi32(0x01010101);
  std::printf(",\"int8\":%.4g",
              register_rate<__m512i>(threads, rounds, 64, [z](__m512i sum) { return _mm512_dpbusd_epi32(sum, z, z); }));
#elif defined(__AVX2__)
  const __m256i z = _mm256_set1_epi16(1);
  const auto add_products = [z](__m256i sum) {  // written out, as compilers would compute the products once
    asm volatile("vpmaddwd %1, %1, %%ymm15\n\tvpaddd %%ymm15, %0, %0" : "+x"(sum) : "x"(z) : "xmm15");
    return sum;
  };
  std::printf(",\"int8\":%.4g", register_rate<__m256i>(threads, rounds, 16, add_products));
#endif
}

ggml_type type_of(const std::string& name) {
  for (int id = 0; id < GGML_TYPE_COUNT; ++id) {
    const auto type = static_cast<ggml_type>(id);
    if (ggml_blck_size(type) > 0 && name == ggml_type_name(type)) return type;
  }
  std::fprintf(stderr, "Expected the name of a ggml type but received %s\n", name.c_str());
  std::exit(2);
}

// weights [k, n] of a type times rows [k, m] of F32, as a layer of a model does it.
double matmul_rate(ggml_type type, int64_t m, int threads, int rounds) {
  constexpr int64_t k = 2048, n = 4096;
  ggml_init_params params = {ggml_tensor_overhead() * 8 + ggml_graph_overhead(), nullptr, true};
  const std::unique_ptr<ggml_context, decltype(&ggml_free)> context(ggml_init(params), ggml_free);
  ggml_tensor* weights = ggml_new_tensor_2d(context.get(), type, k, n);
  ggml_tensor* rows = ggml_new_tensor_2d(context.get(), GGML_TYPE_F32, k, m);
  ggml_cgraph* graph = ggml_new_graph(context.get());
  ggml_build_forward_expand(graph, ggml_mul_mat(context.get(), weights, rows));
  const std::unique_ptr<ggml_backend, decltype(&ggml_backend_free)> backend(ggml_backend_cpu_init(), ggml_backend_free);
  ggml_backend_cpu_set_n_threads(backend.get(), threads);
  const std::unique_ptr<ggml_backend_buffer, decltype(&ggml_backend_buffer_free)> buffer(
      ggml_backend_alloc_ctx_tensors(context.get(), backend.get()), ggml_backend_buffer_free);

  std::vector<float> values(static_cast<size_t>(k) * std::max(n, m), 0.01f);
  std::vector<char> bytes(ggml_nbytes(weights));
  ggml_quantize_chunk(type, values.data(), bytes.data(), 0, n, k, nullptr);
  ggml_backend_tensor_set(weights, bytes.data(), 0, bytes.size());
  ggml_backend_tensor_set(rows, values.data(), 0, ggml_nbytes(rows));
  constexpr int repeats = 4;
  return best_rate(rounds, 2.0 * k * n * m * repeats, [&] {
    for (int i = 0; i < repeats; ++i) ggml_backend_graph_compute(backend.get(), graph);
  });
}

}  // namespace

int main(int argc, char** argv) {
  const int threads = argc > 1 ? std::atoi(argv[1]) : static_cast<int>(std::thread::hardware_concurrency());
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 5;
  if (threads < 1 || rounds < 1) {
    std::fprintf(stderr, "Expected positive numbers of threads and rounds\n");
    return 2;
  }
  std::vector<std::string> names(argv + std::min(argc, 3), argv + argc);
  if (names.empty()) names.push_back("q8_0");
  std::vector<ggml_type> types;
  for (const std::string& name : names) types.push_back(type_of(name));

  std::printf("{\"threads\":%d,\"rounds\":%d,\"triadBytesPerSecond\":%.4g,\"readBytesPerSecond\":%.4g", threads, rounds,
              triad_bytes_per_second(threads, rounds), read_bytes_per_second(threads, rounds));
  std::printf(",\"vectorOperationsPerSecond\":{\"unit\":\"multiplications and additions\"");
  print_vector_rates(threads, rounds);
  std::printf("},\"ggmlMatmulOperationsPerSecond\":{");
  for (const ggml_type type : types) {
    std::printf("%s\"%s\":{", type == types.front() ? "" : ",", ggml_type_name(type));
    for (const int m : {1, 8, 32, 512}) {
      std::printf("%s\"%d\":%.4g", m == 1 ? "" : ",", m, matmul_rate(type, m, threads, rounds));
      std::fflush(stdout);
    }
    std::printf("}");
  }
  std::printf("}}\n");
  return 0;
}
