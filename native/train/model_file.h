#pragma once

#include <string>
#include <vector>

#include "train/ggml_handles.h"
#include "train/parameters.h"

namespace spct {

// A GGUF file's metadata and its tensors' types and shapes; their data stays in the file. Throws Error MODEL_NOT_FOUND
// or NOT_A_GGUF.
struct ModelFile {
  std::string path;
  GgufFile metadata;
  GgmlContext tensors;
};
ModelFile read_model_file(const std::string& path);

// Copies a model's weights, of any type, into the parameters; also the moments when the file is a checkpoint and they
// are trained. Throws Error UNSUPPORTED_MODEL for a tensor that is missing, unknown or of an unexpected shape,
// NOT_A_GGUF when the file is cut off.
void load_model(const ModelFile& file, const Parameters& parameters);

// Copies an adapter, saved or a checkpoint, into the trained parameters. Throws also Error INVALID_ARGUMENT when its
// alpha or its architecture is another.
void load_adapter(const ModelFile& file, const ModelShape& shape, const Parameters& parameters);

// Writes a model that llama.cpp loads: matrices as `matrix_type` (F32, F16 or Q8_0) where their width allows it, else
// as F16, and norms as F32; adapters are added to their matrices. `metadata` brings the vocabulary; the shape is added.
// The file appears whole or not at all.
void save_model(const std::string& path, const ModelShape& shape, const Parameters& parameters,
                const gguf_context* metadata, ggml_type matrix_type);

// Writes adapters for llama.cpp to load beside the model.
void save_adapter(const std::string& path, const ModelShape& shape, const Parameters& parameters,
                  ggml_type matrix_type);

// The name under which a checkpoint holds a reward head.
constexpr const char* reward_head_tensor = "reward_head";

// `count` F32 values of a tensor. Throws Error UNSUPPORTED_MODEL unless the file has them.
std::vector<float> read_values(const ModelFile& file, const std::string& name, size_t count);

// Further F32 values of a checkpoint, beside those of the parameters.
struct CheckpointValues {
  const char* name;
  const std::vector<float>* values;
};

// Writes what is trained, its moments, the step and the caller's `note` (position in the data) for an exact
// continuation; of a model with adapters only these.
void save_checkpoint(const std::string& path, const ModelShape& shape, const Parameters& parameters,
                     const gguf_context* metadata, int64_t step, const std::string& note,
                     const std::vector<CheckpointValues>& others);

}  // namespace spct
