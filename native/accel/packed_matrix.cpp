#include "accel/packed_matrix.h"

#include <ggml-backend.h>
#include <ggml.h>
#include <omp.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <oneapi/dnnl/dnnl.hpp>
#include <tuple>
#include <vector>

#include "accel/packed_weights.h"

namespace spct {

namespace {

using DataType = dnnl::memory::data_type;
using dnnl::memory;

// Rows of a matrix are unpacked to F32 so many values at a time, in whole blocks of every layout of oneDNN.
constexpr int64_t values_at_once = int64_t{1} << 22;
constexpr int64_t row_block = 64;
constexpr size_t most_shapes = 256;

const dnnl::engine& cpu() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

bool multiplies_bf16() {
  const auto isa = static_cast<unsigned>(dnnl::get_effective_cpu_isa());
  const auto bf16 = static_cast<unsigned>(dnnl::cpu_isa::avx512_core_bf16);
  return (isa & bf16) == bf16;
}

size_t count_gpus() {
  size_t count = 0;
  for (size_t i = 0; i < ggml_backend_dev_count(); ++i) {
    if (ggml_backend_dev_type(ggml_backend_dev_get(i)) == GGML_BACKEND_DEVICE_TYPE_GPU) ++count;
  }
  return count;
}

bool is_quantized_or_bf16(const ggml_tensor* weight) {
  return weight->type == GGML_TYPE_BF16 || ggml_is_quantized(weight->type);
}

DataType packed_type(const ggml_tensor* weight) {
  return is_quantized_or_bf16(weight) ? DataType::bf16 : DataType::f32;
}

memory::desc rows_of(int64_t count, int64_t width, DataType type) {
  return {{count, width}, type, memory::dims{width, 1}};
}

dnnl::matmul::primitive_desc product(const memory::desc& values, const memory::desc& weight, const memory::desc& out) {
#if DNNL_VERSION_MAJOR >= 3
  return {cpu(), values, weight, out};
#else
  return {dnnl::matmul::desc(values, weight, out), cpu()};
#endif
}

memory::desc best_layout(int64_t rows, int64_t columns, DataType type) {
  constexpr int64_t usual_count = 32;
  const memory::desc any({columns, rows}, type, memory::format_tag::any);
  return product(rows_of(usual_count, columns, type), any, rows_of(usual_count, rows, DataType::f32)).weights_desc();
}

// Rounds to the nearest, ties to even; a loop that compilers vectorize. What is no number stays none.
void to_bf16(const float* from, uint16_t* to, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    uint32_t bits;
    std::memcpy(&bits, from + i, sizeof bits);
    const uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    const bool is_nan = (bits & 0x7fffffff) > 0x7f800000;
    to[i] = static_cast<uint16_t>(is_nan ? bits >> 16 | 0x40 : rounded);
  }
}

void to_float(const ggml_tensor* weight, int64_t row, float* out) {
  const char* from = static_cast<const char*>(weight->data) + row * weight->nb[1];
  if (weight->type == GGML_TYPE_F32) {
    std::memcpy(out, from, weight->ne[0] * sizeof(float));
  } else {
    ggml_get_type_traits(weight->type)->to_float(from, out, weight->ne[0]);
  }
}

}  // namespace

GemmSupport gemm_support() {
  const dnnl_version_t* version = dnnl_version();
  const std::string name = "oneDNN " + std::to_string(version->major) + "." + std::to_string(version->minor) + "." +
                           std::to_string(version->patch);
  if (!multiplies_bf16()) return {false, name + ", but this CPU has no AVX512_BF16 or AMX"};
  // With one more kind of device llama.cpp would not let several GPUs work on different batches at once.
  if (count_gpus() > 1) return {false, name + ", but not beside several GPUs"};
  return {true, name + ", bf16"};
}

struct PackedMatrix::Memory {
  memory packed;
  DataType type;
};

bool PackedMatrix::accepts(const ggml_tensor* weight) {
  const bool matrix = weight->ne[2] == 1 && weight->ne[3] == 1 && weight->ne[0] > 1 && weight->ne[1] > 1;
  const bool floats = weight->type == GGML_TYPE_F32 || ggml_get_type_traits(weight->type)->to_float != nullptr;
  return gemm_support().available && matrix && floats && ggml_is_contiguous(weight);
}

PackedMatrix::PackedMatrix(const ggml_tensor* weight, int64_t rows, int threads)
    : rows_(rows > 0 ? std::min(rows, weight->ne[1]) : weight->ne[1]), columns_(weight->ne[0]) {
  omp_set_num_threads(threads);
  const DataType type = packed_type(weight);
  dnnl::stream stream(cpu());
  const memory::desc layout = best_layout(rows_, columns_, type);
  memory_ = std::make_unique<Memory>(Memory{memory(layout, cpu()), type});
  const int64_t at_once = std::max(row_block, values_at_once / columns_ / row_block * row_block);
  std::vector<float> values(std::min(at_once, rows_) * columns_);
  for (int64_t row = 0; row < rows_; row += at_once) {
    const int64_t count = std::min(at_once, rows_ - row);
#pragma omp parallel for num_threads(threads)
    for (int64_t i = 0; i < count; ++i) to_float(weight, row + i, values.data() + i * columns_);
    const memory::desc part({columns_, count}, DataType::f32, memory::dims{1, columns_});
    memory from(part, cpu(), values.data());
    memory to(layout.submemory_desc({columns_, count}, {0, row}), cpu(), memory_->packed.get_data_handle());
    dnnl::reorder(from, to).execute(stream, from, to);
    stream.wait();
  }
}

PackedMatrix::~PackedMatrix() = default;

size_t PackedMatrix::bytes_for(const ggml_tensor* weight) {
  return best_layout(weight->ne[1], weight->ne[0], packed_type(weight)).get_size();
}

const void* PackedMatrix::data() const { return memory_->packed.get_data_handle(); }

size_t PackedMatrix::bytes() const { return memory_->packed.get_desc().get_size(); }

struct PackedProduct::Shapes {
  using Key = std::tuple<int64_t, int64_t, int64_t, DataType>;
  std::map<Key, dnnl::matmul> products;
  std::vector<uint16_t> rounded;  // values in bfloat16
  bool rounded_last = false;      // whether they are those of the last call
  dnnl::stream stream{cpu()};
};

PackedProduct::PackedProduct() : shapes_(std::make_unique<Shapes>()) {}

PackedProduct::~PackedProduct() = default;

void PackedProduct::set_threads(int threads) {
  if (threads == threads_) return;
  threads_ = threads;
  shapes_->products.clear();
}

void PackedProduct::run(const PackedMatrix& weight, const float* values, int64_t count, float* out, bool same_values) {
  omp_set_num_threads(threads_);
  const int64_t columns = weight.columns_, rows = weight.rows_;
  const DataType type = weight.memory_->type;
  const memory::desc values_desc = rows_of(count, columns, type);
  const memory::desc out_desc = rows_of(count, rows, DataType::f32);
  auto& products = shapes_->products;
  auto found = products.find({rows, columns, count, type});
  if (found == products.end()) {
    if (products.size() >= most_shapes) products.clear();
    const auto made = product(values_desc, weight.memory_->packed.get_desc(), out_desc);
    found = products.emplace(Shapes::Key{rows, columns, count, type}, made).first;
  }

  shapes_->rounded_last = shapes_->rounded_last && same_values;
  const void* source = values;
  if (type == DataType::bf16) {
    auto& rounded = shapes_->rounded;
    if (!shapes_->rounded_last) {
      if (rounded.size() < static_cast<size_t>(count * columns)) rounded.resize(count * columns);
      constexpr int64_t worth_threads = 1 << 16;
#pragma omp parallel for num_threads(threads_) if (count * columns >= worth_threads)
      for (int64_t i = 0; i < count; ++i) to_bf16(values + i * columns, rounded.data() + i * columns, columns);
      shapes_->rounded_last = true;
    }
    source = rounded.data();
  }
  memory values_memory(values_desc, cpu(), const_cast<void*>(source));
  memory out_memory(out_desc, cpu(), out);
  found->second.execute(
      shapes_->stream,
      {{DNNL_ARG_SRC, values_memory}, {DNNL_ARG_WEIGHTS, weight.memory_->packed}, {DNNL_ARG_DST, out_memory}});
  shapes_->stream.wait();
}

}  // namespace spct
