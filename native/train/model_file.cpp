#include "train/model_file.h"

#include <cstring>
#include <fstream>
#include <functional>
#include <utility>
#include <vector>

#include "error.h"
#include "train/gguf_output.h"

namespace spct {
namespace {

std::vector<float> values_of(const ggml_tensor* tensor) {
  std::vector<char> data(ggml_nbytes(tensor));
  ggml_backend_tensor_get(tensor, data.data(), 0, data.size());
  std::vector<float> values(static_cast<size_t>(ggml_nelements(tensor)));
  if (tensor->type == GGML_TYPE_F32) {
    std::memcpy(values.data(), data.data(), data.size());
  } else {
    ggml_get_type_traits(tensor->type)->to_float(data.data(), values.data(), static_cast<int64_t>(values.size()));
  }
  return values;
}

// The values of a weight with its adapter, if it has one: W + alpha / rank * B A.
std::vector<float> read_adapted(const Parameters& parameters, const ggml_tensor* weight) {
  std::vector<float> values = values_of(weight);
  const std::string name = weight->name;
  if (parameters.weight(name + ".lora_a") == nullptr) return values;
  const std::vector<float> a = values_of(parameters.weight(name + ".lora_a"));
  const std::vector<float> b = values_of(parameters.weight(name + ".lora_b"));
  const auto rank = static_cast<size_t>(parameters.lora()->rank);
  const auto columns = static_cast<size_t>(weight->ne[0]);
  for (size_t row = 0; row < static_cast<size_t>(weight->ne[1]); ++row) {
    for (size_t r = 0; r < rank; ++r) {
      const float factor = parameters.lora()->scale() * b[row * rank + r];
      for (size_t column = 0; column < columns; ++column) {
        values[row * columns + column] += factor * a[r * columns + column];
      }
    }
  }
  return values;
}

// Collects the tensors of one file. Their values are made while the file is written, one tensor at a time.
class ModelWriter {
 public:
  explicit ModelWriter(size_t tensors)
      : file_(gguf_init_empty()), context_(ggml_init({tensors * ggml_tensor_overhead(), nullptr, true})) {}

  gguf_context* metadata() const { return file_.get(); }

  void add(const std::string& name, const ggml_tensor* like, ggml_type type,
           std::function<std::vector<float>()> values) {
    ggml_tensor* tensor = ggml_new_tensor(context_.get(), type, ggml_n_dims(like), like->ne);
    ggml_set_name(tensor, name.c_str());
    gguf_add_tensor(file_.get(), tensor);
    contents_.push_back([tensor, values = std::move(values)] { return encode(*tensor, values()); });
  }

  void add(const std::string& name, const ggml_tensor* source, ggml_type type) {
    add(name, source, type, [source] { return values_of(source); });
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
  static std::vector<char> encode(const ggml_tensor& like, const std::vector<float>& values) {
    std::vector<char> encoded(ggml_nbytes(&like));
    if (like.type == GGML_TYPE_F32) {
      std::memcpy(encoded.data(), values.data(), encoded.size());
    } else {
      ggml_quantize_chunk(like.type, values.data(), encoded.data(), 0, ggml_nrows(&like), like.ne[0], nullptr);
    }
    return encoded;
  }

  GgufFile file_;
  GgmlContext context_;
  std::vector<std::function<std::vector<char>()>> contents_;
};

ggml_type type_of(bool is_matrix, const ggml_tensor* tensor, ggml_type matrix_type) {
  if (!is_matrix) return GGML_TYPE_F32;
  return tensor->ne[0] % ggml_blck_size(matrix_type) == 0 ? matrix_type : GGML_TYPE_F16;
}

void describe_adapter(gguf_context* file, const ModelShape& shape, const LoraOptions& lora) {
  gguf_set_val_str(file, "general.type", "adapter");
  gguf_set_val_str(file, "general.architecture", shape.architecture.c_str());
  gguf_set_val_str(file, "adapter.type", "lora");
  gguf_set_val_f32(file, "adapter.lora.alpha", lora.alpha);
}

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

  void load_trained(const Parameters& parameters) {
    for (const Parameter& parameter : parameters.all()) {
      load(parameter.name, parameter.weight);
      if (!has("m." + parameter.name)) continue;
      load("m." + parameter.name, parameter.first_moment);
      load("v." + parameter.name, parameter.second_moment);
    }
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

void load_model(const ModelFile& file, const Parameters& parameters) {
  refuse_unknown_tensors(file, parameters);
  TensorReader reader(file);
  for (ggml_tensor* weight : parameters.frozen()) reader.load(weight->name, weight);
  if (!parameters.lora()) reader.load_trained(parameters);
}

void load_adapter(const ModelFile& file, const ModelShape& shape, const Parameters& parameters) {
  const gguf_context* metadata = file.metadata.get();
  const auto has_text = [&](const char* key, const std::string& expected) {
    const int64_t id = gguf_find_key(metadata, key);
    return id >= 0 && gguf_get_kv_type(metadata, id) == GGUF_TYPE_STRING && gguf_get_val_str(metadata, id) == expected;
  };
  if (!has_text("general.type", "adapter") || !has_text("adapter.type", "lora")) {
    throw Error("INVALID_ARGUMENT", "Expected a LoRA adapter in " + file.path);
  }
  if (!has_text("general.architecture", shape.architecture)) {
    throw Error("INVALID_ARGUMENT", "Expected an adapter for " + shape.architecture + " in " + file.path);
  }
  const int64_t alpha = gguf_find_key(metadata, "adapter.lora.alpha");
  const float expected = parameters.lora()->alpha;
  if (alpha < 0 || gguf_get_kv_type(metadata, alpha) != GGUF_TYPE_FLOAT32 ||
      gguf_get_val_f32(metadata, alpha) != expected) {
    throw Error("INVALID_ARGUMENT", "Expected a LoRA alpha of " + std::to_string(expected) + " in " + file.path);
  }
  refuse_unknown_tensors(file, parameters);
  TensorReader(file).load_trained(parameters);
}

std::vector<float> read_values(const ModelFile& file, const std::string& name, size_t count) {
  return TensorReader(file).values(name, count);
}

void save_model(const std::string& path, const ModelShape& shape, const Parameters& parameters,
                const gguf_context* metadata, ggml_type matrix_type) {
  const std::vector<ModelTensor> tensors = model_tensors(shape);
  ModelWriter writer(tensors.size());
  gguf_set_kv(writer.metadata(), metadata);
  write_shape(shape, writer.metadata());
  gguf_remove_key(writer.metadata(), "spct.train.step");
  gguf_remove_key(writer.metadata(), "spct.train.note");
  for (const ModelTensor& tensor : tensors) {
    const ggml_tensor* weight = parameters.weight(tensor.name);
    const ggml_type type = type_of(tensor.kind == TensorKind::matrix, weight, matrix_type);
    writer.add(tensor.name, weight, type, [&parameters, weight] { return read_adapted(parameters, weight); });
  }
  writer.write(path);
}

void save_adapter(const std::string& path, const ModelShape& shape, const Parameters& parameters,
                  ggml_type matrix_type) {
  ModelWriter writer(parameters.all().size());
  describe_adapter(writer.metadata(), shape, *parameters.lora());
  for (const Parameter& parameter : parameters.all()) {
    writer.add(parameter.name, parameter.weight, type_of(true, parameter.weight, matrix_type));
  }
  writer.write(path);
}

void save_checkpoint(const std::string& path, const ModelShape& shape, const Parameters& parameters,
                     const gguf_context* metadata, int64_t step, const std::string& note,
                     const std::vector<CheckpointValues>& others) {
  ModelWriter writer(parameters.frozen().size() + 3 * parameters.all().size() + others.size());
  if (parameters.lora()) {
    describe_adapter(writer.metadata(), shape, *parameters.lora());
  } else {
    gguf_set_kv(writer.metadata(), metadata);
    write_shape(shape, writer.metadata());
    for (const ggml_tensor* weight : parameters.frozen()) writer.add(weight->name, weight, GGML_TYPE_F32);
  }
  gguf_set_val_i64(writer.metadata(), "spct.train.step", step);
  gguf_set_val_str(writer.metadata(), "spct.train.note", note.c_str());
  for (const Parameter& parameter : parameters.all()) {
    writer.add(parameter.name, parameter.weight, GGML_TYPE_F32);
    writer.add("m." + parameter.name, parameter.first_moment, GGML_TYPE_F32);
    writer.add("v." + parameter.name, parameter.second_moment, GGML_TYPE_F32);
  }
  for (const CheckpointValues& other : others) writer.add(other);
  writer.write(path);
}

}  // namespace spct
