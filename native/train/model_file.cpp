#include "train/model_file.h"

#include <cstring>
#include <fstream>
#include <functional>
#include <vector>

#include "error.h"
#include "train/gguf_output.h"

namespace spct {
namespace {

// Collects the tensors of one file. Their values are converted while the file is written, one tensor at a time.
class ModelWriter {
 public:
  ModelWriter(const ModelShape& shape, const gguf_context* metadata, size_t tensors)
      : file_(gguf_init_empty()), context_(ggml_init({tensors * ggml_tensor_overhead(), nullptr, true})) {
    gguf_set_kv(file_.get(), metadata);
    write_shape(shape, file_.get());
  }

  gguf_context* metadata() const { return file_.get(); }

  void add(const std::string& name, const ggml_tensor* source, ggml_type type) {
    ggml_tensor* tensor = ggml_new_tensor(context_.get(), type, ggml_n_dims(source), source->ne);
    ggml_set_name(tensor, name.c_str());
    gguf_add_tensor(file_.get(), tensor);
    contents_.push_back([source, type] { return encode(*source, type); });
  }

  void add(const CheckpointValues& source) {
    ggml_tensor* tensor =
        ggml_new_tensor_1d(context_.get(), GGML_TYPE_F32, static_cast<int64_t>(source.values->size()));
    ggml_set_name(tensor, source.name);
    gguf_add_tensor(file_.get(), tensor);
    contents_.push_back([values = source.values] {
      const char* begin = reinterpret_cast<const char*>(values->data());
      return std::vector<char>(begin, begin + values->size() * sizeof(float));
    });
  }

  void write(const std::string& path) const {
    write_gguf(file_.get(), path, [&](int64_t i) { return contents_[i](); });
  }

 private:
  static std::vector<char> encode(const ggml_tensor& source, ggml_type type) {
    std::vector<char> values(ggml_nbytes(&source));
    ggml_backend_tensor_get(&source, values.data(), 0, values.size());
    if (type == source.type) return values;
    std::vector<char> encoded(ggml_row_size(type, source.ne[0]) * ggml_nrows(&source));
    ggml_quantize_chunk(type, reinterpret_cast<const float*>(values.data()), encoded.data(), 0, ggml_nrows(&source),
                        source.ne[0], nullptr);
    return encoded;
  }

  GgufFile file_;
  GgmlContext context_;
  std::vector<std::function<std::vector<char>()>> contents_;
};

// Reads tensors one at a time, so that the model is never in memory twice.
class TensorReader {
 public:
  explicit TensorReader(const ModelFile& file) : file_(file), stream_(file.path, std::ios::binary) {
    if (!stream_) throw Error("MODEL_NOT_FOUND", "The file " + file.path + " cannot be opened");
  }

  bool has(const std::string& name) const { return gguf_find_tensor(file_.metadata.get(), name.c_str()) >= 0; }

  std::vector<float> values(const std::string& name, size_t count) {
    const ggml_tensor* source = ggml_get_tensor(file_.tensors.get(), name.c_str());
    if (source == nullptr || source->type != GGML_TYPE_F32 || ggml_nelements(source) != static_cast<int64_t>(count)) {
      throw Error("UNSUPPORTED_MODEL", "Expected " + std::to_string(count) + " F32 values in the tensor " + name);
    }
    const std::vector<char> data = read(name, ggml_nbytes(source));
    std::vector<float> values(count);
    std::memcpy(values.data(), data.data(), data.size());
    return values;
  }

  void load(const std::string& name, ggml_tensor* target) {
    const ggml_tensor* source = ggml_get_tensor(file_.tensors.get(), name.c_str());
    if (source == nullptr) throw Error("UNSUPPORTED_MODEL", "Expected a tensor " + name + " but it is missing");
    if (!ggml_are_same_shape(source, target))
      throw Error("UNSUPPORTED_MODEL", "The tensor " + name + " has an unexpected shape");
    const std::vector<char> data = read(name, ggml_nbytes(source));
    if (source->type == target->type) {
      ggml_backend_tensor_set(target, data.data(), 0, data.size());
      return;
    }
    const ggml_to_float_t convert = ggml_get_type_traits(source->type)->to_float;
    if (convert == nullptr)
      throw Error("UNSUPPORTED_MODEL", "The tensor " + name + " has a type that cannot be trained");
    std::vector<float> values(static_cast<size_t>(ggml_nelements(source)));
    convert(data.data(), values.data(), static_cast<int64_t>(values.size()));
    ggml_backend_tensor_set(target, values.data(), 0, values.size() * sizeof(float));
  }

 private:
  std::vector<char> read(const std::string& name, size_t size) {
    const gguf_context* metadata = file_.metadata.get();
    const size_t offset =
        gguf_get_data_offset(metadata) + gguf_get_tensor_offset(metadata, gguf_find_tensor(metadata, name.c_str()));
    std::vector<char> data(size);
    stream_.seekg(static_cast<std::streamoff>(offset));
    if (!stream_.read(data.data(), static_cast<std::streamsize>(size))) {
      throw Error("NOT_A_GGUF", "The file " + file_.path + " ends inside of its tensor " + name);
    }
    return data;
  }

  const ModelFile& file_;
  std::ifstream stream_;
};

// A tensor that is not trained would be lost when the model is saved.
void refuse_unknown_tensors(const ModelFile& file, const Parameters& parameters) {
  for (int64_t i = 0; i < gguf_get_n_tensors(file.metadata.get()); ++i) {
    const std::string name = gguf_get_tensor_name(file.metadata.get(), i);
    const bool is_moment = name.compare(0, 2, "m.") == 0 || name.compare(0, 2, "v.") == 0;
    const std::string base = is_moment ? name.substr(2) : name;
    if (base != reward_head_tensor && parameters.weight(base) == nullptr) {
      throw Error("UNSUPPORTED_MODEL", "Expected no tensor named " + name + " in a model that can be trained");
    }
  }
}

}  // namespace

ModelFile read_model_file(const std::string& path) {
  if (!std::ifstream(path, std::ios::binary)) {
    throw Error("MODEL_NOT_FOUND", "The file " + path + " cannot be opened");
  }
  ggml_context* tensors = nullptr;
  ModelFile file{path, nullptr, nullptr};
  file.metadata.reset(gguf_init_from_file(path.c_str(), {true, &tensors}));
  file.tensors.reset(tensors);
  if (!file.metadata) throw Error("NOT_A_GGUF", "The file " + path + " is not a valid GGUF file");
  return file;
}

void load_parameters(const ModelFile& file, const Parameters& parameters) {
  refuse_unknown_tensors(file, parameters);
  TensorReader reader(file);
  for (ggml_tensor* weight : parameters.frozen()) reader.load(weight->name, weight);
  for (const Parameter& parameter : parameters.all()) {
    reader.load(parameter.name, parameter.weight);
    if (!reader.has("m." + parameter.name)) continue;
    reader.load("m." + parameter.name, parameter.first_moment);
    reader.load("v." + parameter.name, parameter.second_moment);
  }
}

std::vector<float> read_values(const ModelFile& file, const std::string& name, size_t count) {
  return TensorReader(file).values(name, count);
}

void save_model(const std::string& path, const ModelShape& shape, const Parameters& parameters,
                const gguf_context* metadata, ggml_type matrix_type) {
  ModelWriter writer(shape, metadata, parameters.frozen().size() + parameters.all().size());
  gguf_remove_key(writer.metadata(), "spct.train.step");
  gguf_remove_key(writer.metadata(), "spct.train.note");
  for (const ggml_tensor* weight : parameters.frozen()) writer.add(weight->name, weight, GGML_TYPE_F32);
  for (const Parameter& parameter : parameters.all()) {
    const bool divides = parameter.weight->ne[0] % ggml_blck_size(matrix_type) == 0;
    const ggml_type type = !parameter.is_matrix ? GGML_TYPE_F32 : divides ? matrix_type : GGML_TYPE_F16;
    writer.add(parameter.name, parameter.weight, type);
  }
  writer.write(path);
}

void save_checkpoint(const std::string& path, const ModelShape& shape, const Parameters& parameters,
                     const gguf_context* metadata, int64_t step, const std::string& note,
                     const std::vector<CheckpointValues>& others) {
  ModelWriter writer(shape, metadata, parameters.frozen().size() + 3 * parameters.all().size() + others.size());
  gguf_set_val_i64(writer.metadata(), "spct.train.step", step);
  gguf_set_val_str(writer.metadata(), "spct.train.note", note.c_str());
  for (const ggml_tensor* weight : parameters.frozen()) writer.add(weight->name, weight, GGML_TYPE_F32);
  for (const Parameter& parameter : parameters.all()) {
    writer.add(parameter.name, parameter.weight, GGML_TYPE_F32);
    writer.add("m." + parameter.name, parameter.first_moment, GGML_TYPE_F32);
    writer.add("v." + parameter.name, parameter.second_moment, GGML_TYPE_F32);
  }
  for (const CheckpointValues& other : others) writer.add(other);
  writer.write(path);
}

}  // namespace spct
