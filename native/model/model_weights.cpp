#include "model/model_weights.h"

#include <string>

#include "ggml-backend.h"
#include "llama-model.h"

namespace spct {

namespace {

bool is_layer_matrix(const std::string& name, const ggml_tensor* tensor) {
  return name.rfind("blk.", 0) == 0 && ggml_n_dims(tensor) == 2;
}

bool lies_in_host_memory(const ggml_tensor* tensor) {
  return tensor->buffer && ggml_backend_buffer_is_host(tensor->buffer) &&
         ggml_backend_buffer_get_usage(tensor->buffer) == GGML_BACKEND_BUFFER_USAGE_WEIGHTS;
}

}  // namespace

std::vector<const ggml_tensor*> multiplied_weights(const llama_model* model) {
  const auto& tensors = llama_internal_get_tensor_map(model);
  const std::string output = "output.weight", embedding = "token_embd.weight";
  bool tied = true;
  for (const auto& [name, tensor] : tensors) tied = tied && name != output;
  std::vector<const ggml_tensor*> found;
  for (const auto& [name, tensor] : tensors) {
    const bool multiplied = is_layer_matrix(name, tensor) || name == (tied ? embedding : output);
    if (multiplied && lies_in_host_memory(tensor)) found.push_back(tensor);
  }
  return found;
}

std::vector<const ggml_tensor*> layer_matrices(const llama_model* model) {
  std::vector<const ggml_tensor*> found;
  for (const auto& [name, tensor] : llama_internal_get_tensor_map(model)) {
    if (is_layer_matrix(name, tensor)) found.push_back(tensor);
  }
  return found;
}

}  // namespace spct
