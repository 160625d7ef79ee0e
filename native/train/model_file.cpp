#include "train/model_file.h"

#include <cstdio>
#include <cstring>
#include <vector>

#include "error.h"
#include "train/gguf_output.h"

namespace spct {
namespace {

// Collects the tensors of one file: F32 values are converted to the type they shall have there.
class ModelWriter {
 public:
  ModelWriter(const ModelShape& shape, const gguf_context* metadata, int64_t elements, size_t tensors)
      : file_(gguf_init_empty()),
        context_(ggml_init({static_cast<size_t>(elements) * sizeof(float) + tensors * (ggml_tensor_overhead() + 64),
                            nullptr, false})) {
    if (!context_) throw Error("OUT_OF_MEMORY", "The model does not fit into memory twice to be saved");
    gguf_set_kv(file_.get(), metadata);
    write_shape(shape, file_.get());
  }

  gguf_context* metadata() const { return file_.get(); }

  void add(const std::string& name, const ggml_tensor* source, ggml_type type) {
    std::vector<float> values(static_cast<size_t>(ggml_nelements(source)));
    ggml_backend_tensor_get(source, values.data(), 0, values.size() * sizeof(float));
    ggml_tensor* tensor = ggml_new_tensor(context_.get(), type, ggml_n_dims(source), source->ne);
    ggml_set_name(tensor, name.c_str());
    if (type == GGML_TYPE_F32) {
      std::memcpy(tensor->data, values.data(), values.size() * sizeof(float));
    } else {
      ggml_quantize_chunk(type, values.data(), tensor->data, 0, ggml_nrows(source), source->ne[0], nullptr);
    }
    gguf_add_tensor(file_.get(), tensor);
  }

  void add(const CheckpointValues& source) {
    ggml_tensor* tensor =
        ggml_new_tensor_1d(context_.get(), GGML_TYPE_F32, static_cast<int64_t>(source.values->size()));
    ggml_set_name(tensor, source.name);
    std::memcpy(tensor->data, source.values->data(), source.values->size() * sizeof(float));
    gguf_add_tensor(file_.get(), tensor);
  }

  void write(const std::string& path) const { write_gguf(file_.get(), path); }

 private:
  GgufFile file_;
  GgmlContext context_;
};

void load_tensor(const ModelFile& file, const std::string& name, ggml_tensor* target) {
  const ggml_tensor* source = ggml_get_tensor(file.tensors.get(), name.c_str());
  if (source == nullptr) throw Error("UNSUPPORTED_MODEL", "Expected a tensor " + name + " but it is missing");
  if (!ggml_are_same_shape(source, target))
    throw Error("UNSUPPORTED_MODEL", "The tensor " + name + " has an unexpected shape");
  std::vector<float> values(static_cast<size_t>(ggml_nelements(source)));
  if (source->type == GGML_TYPE_F32) {
    std::memcpy(values.data(), source->data, values.size() * sizeof(float));
  } else {
    const ggml_to_float_t convert = ggml_get_type_traits(source->type)->to_float;
    if (convert == nullptr)
      throw Error("UNSUPPORTED_MODEL", "The tensor " + name + " has a type that cannot be trained");
    convert(source->data, values.data(), static_cast<int64_t>(values.size()));
  }
  ggml_backend_tensor_set(target, values.data(), 0, values.size() * sizeof(float));
}

}  // namespace

ModelFile read_model_file(const std::string& path) {
  std::FILE* probe = std::fopen(path.c_str(), "rb");
  if (probe == nullptr) throw Error("MODEL_NOT_FOUND", "The file " + path + " cannot be opened");
  std::fclose(probe);
  ggml_context* tensors = nullptr;
  ModelFile file;
  file.metadata.reset(gguf_init_from_file(path.c_str(), {false, &tensors}));
  file.tensors.reset(tensors);
  if (!file.metadata) throw Error("NOT_A_GGUF", "The file " + path + " is not a valid GGUF file");
  return file;
}

void load_parameters(const ModelFile& file, const Parameters& parameters) {
  if (!file.tensors) throw Error("UNSUPPORTED_MODEL", "Expected a GGUF file with tensors but it has none");
  for (const Parameter& parameter : parameters.all()) {
    load_tensor(file, parameter.name, parameter.weight);
    if (ggml_get_tensor(file.tensors.get(), ("m." + parameter.name).c_str()) == nullptr) continue;
    load_tensor(file, "m." + parameter.name, parameter.first_moment);
    load_tensor(file, "v." + parameter.name, parameter.second_moment);
  }
}

void save_model(const std::string& path, const ModelShape& shape, const Parameters& parameters,
                const gguf_context* metadata, ggml_type matrix_type) {
  ModelWriter writer(shape, metadata, parameters.count(), parameters.all().size());
  gguf_remove_key(writer.metadata(), "spct.train.step");
  gguf_remove_key(writer.metadata(), "spct.train.note");
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
  int64_t elements = 3 * parameters.count();
  for (const CheckpointValues& other : others) elements += static_cast<int64_t>(other.values->size());
  ModelWriter writer(shape, metadata, elements, 3 * parameters.all().size() + others.size());
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
