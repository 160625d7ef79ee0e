#include "model/random_model.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <system_error>
#include <thread>

#include "error.h"
#include "ggml.h"
#include "gguf.h"

namespace spct {

namespace {

using GgufFile = std::unique_ptr<gguf_context, decltype(&gguf_free)>;
using TensorContext = std::unique_ptr<ggml_context, decltype(&ggml_free)>;

ggml_type type_of(const RandomTensor& tensor) {
  if (tensor.rows == 0) return GGML_TYPE_F32;
  for (int id = 0; id < GGML_TYPE_COUNT; ++id) {
    const auto type = static_cast<ggml_type>(id);
    if (ggml_blck_size(type) == 0 || tensor.type != ggml_type_name(type)) continue;
    if (ggml_quantize_requires_imatrix(type)) break;
    if (tensor.columns % ggml_blck_size(type) == 0) return type;
    throw Error("INVALID_ARGUMENT", "Expected a multiple of " + std::to_string(ggml_blck_size(type)) + " columns for " +
                                        tensor.name + " in " + tensor.type + " but received " +
                                        std::to_string(tensor.columns));
  }
  throw Error("INVALID_ARGUMENT",
              "Expected a type that ggml can quantize to for " + tensor.name + " but received " + tensor.type);
}

GgufFile read_vocabulary(const std::string& path) {
  if (!std::ifstream(path)) throw Error("MODEL_NOT_FOUND", "no such file: " + path);
  GgufFile file(gguf_init_from_file(path.c_str(), {/*no_alloc=*/true, /*ctx=*/nullptr}), gguf_free);
  if (!file) throw Error("NOT_A_GGUF", path + " is not a GGUF file");
  std::vector<std::string> others;
  for (int64_t key = 0; key < gguf_get_n_kv(file.get()); ++key) {
    const std::string name = gguf_get_key(file.get(), key);
    if (name.rfind("tokenizer.", 0) != 0) others.push_back(name);
  }
  for (const auto& name : others) gguf_remove_key(file.get(), name.c_str());
  GgufFile keys(gguf_init_empty(), gguf_free);  // the file may be a whole model
  gguf_set_kv(keys.get(), file.get());
  return keys;
}

// SplitMix64. A row's numbers are a function of the seed and its place, so that threads can share the work.
class Noise {
 public:
  Noise(uint64_t seed, uint64_t tensor, uint64_t row)
      : state_(seed * 0x9e3779b97f4a7c15u + tensor * 0xbf58476d1ce4e5b9u + row * 0x94d049bb133111ebu) {}

  void fill(float* values, int64_t count, float scale) {
    const float width = scale * std::sqrt(12.0f);
    for (int64_t i = 0; i < count; ++i) {
      values[i] = (static_cast<float>(next() >> 40) * 0x1p-24f - 0.5f) * width;
    }
  }

 private:
  uint64_t next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }

  uint64_t state_;
};

// Rows [begin, end) of a tensor, quantized, into `out`.
void make_rows(const RandomModel& model, size_t index, ggml_type type, int64_t begin, int64_t end, char* out) {
  const RandomTensor& tensor = model.tensors[index];
  const size_t row_size = ggml_row_size(type, tensor.columns);
  std::vector<float> row(static_cast<size_t>(tensor.columns), 1.0f);
  for (int64_t i = begin; i < end; ++i) {
    if (tensor.rows > 0)
      Noise(model.seed, index, static_cast<uint64_t>(i)).fill(row.data(), tensor.columns, tensor.scale);
    ggml_quantize_chunk(type, row.data(), out + row_size * static_cast<size_t>(i - begin), 0, 1, tensor.columns,
                        nullptr);
  }
}

void write_tensor(const RandomModel& model, size_t index, ggml_type type, std::ofstream& out) {
  constexpr size_t chunk_bytes = size_t{4} << 20;  // of one thread
  const RandomTensor& tensor = model.tensors[index];
  const size_t row_size = ggml_row_size(type, tensor.columns);
  const int64_t rows = std::max<int64_t>(1, tensor.rows);
  const int64_t rows_per_thread = std::max<int64_t>(1, static_cast<int64_t>(chunk_bytes / row_size));
  std::vector<char> chunk(row_size * static_cast<size_t>(std::min(rows, rows_per_thread * model.threads)));
  for (int64_t first = 0; first < rows; first += rows_per_thread * model.threads) {
    const int64_t last = std::min(rows, first + rows_per_thread * model.threads);
    std::vector<std::thread> threads;
    for (int64_t begin = first; begin < last; begin += rows_per_thread) {
      char* place = chunk.data() + row_size * static_cast<size_t>(begin - first);
      const int64_t end = std::min(last, begin + rows_per_thread);
      threads.emplace_back(
          [&model, index, type, begin, end, place] { make_rows(model, index, type, begin, end, place); });
    }
    for (auto& thread : threads) thread.join();
    out.write(chunk.data(), static_cast<std::streamsize>(row_size * static_cast<size_t>(last - first)));
  }
}

void write_file(const RandomModel& model, const std::vector<ggml_type>& types, const gguf_context* header,
                const std::string& path) {
  if (!gguf_write_to_file(header, path.c_str(), /*only_meta=*/true)) throw Error("WRITE_FAILED", path);
  std::ofstream out(path, std::ios::binary | std::ios::app);
  const size_t data = gguf_get_meta_size(header);
  size_t written = 0;
  for (size_t index = 0; index < model.tensors.size() && out; ++index) {
    const size_t offset = gguf_get_tensor_offset(header, static_cast<int64_t>(index));
    for (; written < offset; ++written) out.put('\0');
    write_tensor(model, index, types[index], out);
    written += gguf_get_tensor_size(header, static_cast<int64_t>(index));
  }
  const size_t alignment = gguf_get_alignment(header);
  for (; written % alignment != 0; ++written) out.put('\0');
  out.close();
  if (!out || std::filesystem::file_size(path) != data + written) throw Error("WRITE_FAILED", path);
}

}  // namespace

void write_random_model(const RandomModel& model) {
  const GgufFile header = read_vocabulary(model.vocabulary_path);
  const GgufFile metadata(
      gguf_init_from_buffer(model.metadata.data(), model.metadata.size(), {/*no_alloc=*/true, /*ctx=*/nullptr}),
      gguf_free);
  if (!metadata) throw Error("INVALID_ARGUMENT", "Expected the bytes of a GGUF file for metadata");
  gguf_set_kv(header.get(), metadata.get());

  const TensorContext shapes(
      ggml_init({ggml_tensor_overhead() * (model.tensors.size() + 1), nullptr, /*no_alloc=*/true}), ggml_free);
  std::vector<ggml_type> types;
  for (const RandomTensor& tensor : model.tensors) {
    if (gguf_find_tensor(header.get(), tensor.name.c_str()) >= 0) {
      throw Error("INVALID_ARGUMENT", "Expected each tensor once but received " + tensor.name + " again");
    }
    types.push_back(type_of(tensor));
    ggml_tensor* shape = tensor.rows == 0 ? ggml_new_tensor_1d(shapes.get(), types.back(), tensor.columns)
                                          : ggml_new_tensor_2d(shapes.get(), types.back(), tensor.columns, tensor.rows);
    ggml_set_name(shape, tensor.name.c_str());
    gguf_add_tensor(header.get(), shape);
  }

  const std::string partial = model.path + ".part";
  std::error_code failure;
  try {
    write_file(model, types, header.get(), partial);
  } catch (const Error&) {
    std::filesystem::remove(partial, failure);
    throw Error("WRITE_FAILED",
                "The file " + model.path + " could not be written; is the folder writable and the disk not full?");
  }
  std::filesystem::rename(partial, model.path, failure);
  if (failure) throw Error("WRITE_FAILED", "The file " + model.path + " could not be replaced: " + failure.message());
}

}  // namespace spct
