#include "accel/onednn_gemm.h"

#include <ggml.h>
#include <omp.h>

#include <algorithm>
#include <map>
#include <oneapi/dnnl/dnnl.hpp>
#include <string>
#include <tuple>
#include <vector>

#include "accel/weight_rows.h"
#include "error.h"

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

DataType packed_type(const ggml_tensor* weight) { return packs_as_bf16(weight) ? DataType::bf16 : DataType::f32; }

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

// What oneDNN throws as what the rest of the addon knows.
template <class Work>
auto translated(const Work& work) {
  try {
    return work();
  } catch (const dnnl::error& error) {
    const char* code = error.status == dnnl_out_of_memory ? "OUT_OF_MEMORY" : "PACKING_FAILED";
    throw Error(code, std::string("oneDNN failed: ") + error.what());
  }
}

class OnednnMatrix : public PackedMatrix {
 public:
  OnednnMatrix(const ggml_tensor* weight, int64_t rows, int threads)
      : PackedMatrix(rows, weight->ne[0]),
        type(packed_type(weight)),
        packed(best_layout(rows, weight->ne[0], type), cpu()) {
    omp_set_num_threads(threads);
    dnnl::stream stream(cpu());
    const int64_t width = weight->ne[0];
    const int64_t at_once = std::max(row_block, values_at_once / width / row_block * row_block);
    std::vector<float> values(std::min(at_once, rows) * width);
    for (int64_t row = 0; row < rows; row += at_once) {
      const int64_t count = std::min(at_once, rows - row);
#pragma omp parallel for num_threads(threads)
      for (int64_t i = 0; i < count; ++i) row_to_float(weight, row + i, values.data() + i * width);
      const memory::desc part({width, count}, DataType::f32, memory::dims{1, width});
      memory from(part, cpu(), values.data());
      memory to(packed.get_desc().submemory_desc({width, count}, {0, row}), cpu(), packed.get_data_handle());
      dnnl::reorder(from, to).execute(stream, from, to);
      stream.wait();
    }
  }

  const void* data() const override { return packed.get_data_handle(); }
  size_t bytes() const override { return packed.get_desc().get_size(); }

  const DataType type;
  const memory packed;
};

// Keeps what oneDNN generated for each shape.
class OnednnProduct : public PackedProduct {
 public:
  // What was generated for another number of threads is forgotten.
  void set_threads(int threads) override {
    if (threads == threads_) return;
    threads_ = threads;
    products_.clear();
  }

  void run(const PackedMatrix& weight, const float* values, int64_t count, float* out, bool same_values) override {
    translated([&] { multiply(static_cast<const OnednnMatrix&>(weight), values, count, out, same_values); });
  }

 private:
  void multiply(const OnednnMatrix& weight, const float* values, int64_t count, float* out, bool same_values) {
    omp_set_num_threads(threads_);
    const int64_t columns = weight.columns(), rows = weight.rows();
    const memory::desc values_desc = rows_of(count, columns, weight.type);
    const memory::desc out_desc = rows_of(count, rows, DataType::f32);
    auto found = products_.find({rows, columns, count, weight.type});
    if (found == products_.end()) {
      if (products_.size() >= most_shapes) products_.clear();
      const auto made = product(values_desc, weight.packed.get_desc(), out_desc);
      found = products_.emplace(Shape{rows, columns, count, weight.type}, made).first;
    }

    rounded_last_ = rounded_last_ && same_values;
    const void* source = values;
    if (weight.type == DataType::bf16) {
      if (!rounded_last_) round(values, count, columns);
      rounded_last_ = true;
      source = rounded_.data();
    }
    memory values_memory(values_desc, cpu(), const_cast<void*>(source));
    memory out_memory(out_desc, cpu(), out);
    found->second.execute(
        stream_, {{DNNL_ARG_SRC, values_memory}, {DNNL_ARG_WEIGHTS, weight.packed}, {DNNL_ARG_DST, out_memory}});
    stream_.wait();
  }

  void round(const float* values, int64_t count, int64_t columns) {
    if (rounded_.size() < static_cast<size_t>(count * columns)) rounded_.resize(count * columns);
    constexpr int64_t worth_threads = 1 << 16;
#pragma omp parallel for num_threads(threads_) if (count * columns >= worth_threads)
    for (int64_t i = 0; i < count; ++i) {
      for (int64_t j = i * columns; j < (i + 1) * columns; ++j) rounded_[j] = to_bf16(values[j]);
    }
  }

  using Shape = std::tuple<int64_t, int64_t, int64_t, DataType>;
  std::map<Shape, dnnl::matmul> products_;
  std::vector<uint16_t> rounded_;  // values in bfloat16
  bool rounded_last_ = false;      // whether they are those of the last call
  dnnl::stream stream_{cpu()};
  int threads_ = 1;
};

class OnednnGemm : public Gemm {
 public:
  std::string description() const override {
    const dnnl_version_t* version = dnnl_version();
    return "oneDNN " + std::to_string(version->major) + "." + std::to_string(version->minor) + "." +
           std::to_string(version->patch) + ", bf16";
  }

  int64_t usual_least_rows() const override { return 8; }

  size_t bytes_for(const ggml_tensor* weight) const override {
    return translated([&] { return best_layout(weight->ne[1], weight->ne[0], packed_type(weight)).get_size(); });
  }

  std::unique_ptr<PackedMatrix> pack(const ggml_tensor* weight, int64_t rows, int threads) const override {
    return translated([&] {
      return std::make_unique<OnednnMatrix>(weight, rows > 0 ? std::min(rows, weight->ne[1]) : weight->ne[1], threads);
    });
  }

  std::unique_ptr<PackedProduct> new_product() const override {
    return translated([] { return std::make_unique<OnednnProduct>(); });
  }
};

}  // namespace

std::unique_ptr<Gemm> onednn_gemm() {
  if (!multiplies_bf16()) return nullptr;
  return std::make_unique<OnednnGemm>();
}

}  // namespace spct
