#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "train/ggml_handles.h"
#include "train/lora.h"
#include "train/model_tensors.h"
#include "weight_view.h"

namespace spct {

// One trained tensor with its AdamW moments, all F32 and of one shape.
struct Parameter {
  std::string name;  // its name in a GGUF model file
  ggml_tensor* weight = nullptr;
  ggml_tensor* first_moment = nullptr;
  ggml_tensor* second_moment = nullptr;
  bool is_matrix = false;
};

// The weights of one model and the optimizer's memory of those that are trained, in one buffer of a backend.
class Parameters {
 public:
  // All weights are trained.
  Parameters(const ModelShape& shape, ggml_backend_t backend);
  // Adapters are trained. The model's matrices keep the types they have among the tensors of its file, `base`: a frozen
  // matrix need not be exact, and quantized it takes a fraction of the memory. They become F32 where the backend cannot
  // pass gradients back through their type.
  Parameters(const ModelShape& shape, ggml_backend_t backend, const LoraOptions& lora, ggml_context* base);

  // Starts what is trained. Norms are 1 and biases 0. Matrices are Gaussian with deviation 1/sqrt(fan in); projections
  // into the residual stream are divided by sqrt(2 layers). Tokens of one group (empty: each token its own) start at
  // nearly the same embedding. Of an adapter, B is 0.
  void initialize(uint64_t seed, const std::vector<int32_t>& token_groups);

  const std::vector<Parameter>& all() const { return parameters_; }
  // Weights that are not trained: rope factors, and with adapters the whole model.
  const std::vector<ggml_tensor*>& frozen() const { return frozen_; }
  // Throws Error UNSUPPORTED_MODEL when there is no such tensor.
  const Parameter& named(const std::string& name) const;
  // A weight, trained or not; null when there is none.
  ggml_tensor* weight(const std::string& name) const;
  // Reads the weights themselves, which change with every step. Throws Error INVALID_ARGUMENT with adapters.
  std::vector<WeightView> views() const;
  int64_t count() const;  // of trained values
  const std::optional<LoraOptions>& lora() const { return lora_; }

 private:
  ggml_tensor* create(const std::string& name, const ModelTensor& tensor, ggml_type type);
  void add_trained(const ModelTensor& tensor);
  void add_frozen(const ModelTensor& tensor, ggml_type type);
  void allocate(ggml_backend_t backend);

  ModelShape shape_;
  std::optional<LoraOptions> lora_;
  GgmlContext context_;
  GgmlBuffer buffer_;
  std::vector<Parameter> parameters_;
  std::vector<ggml_tensor*> frozen_;
  std::unordered_map<std::string, ggml_tensor*> weights_;
};

}  // namespace spct
