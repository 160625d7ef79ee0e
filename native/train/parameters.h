#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "train/ggml_handles.h"
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
  Parameters(const ModelShape& shape, ggml_backend_t backend);

  // Norms are 1 and biases 0. Matrices are Gaussian with deviation 1/sqrt(fan in); projections into the residual stream
  // are divided by sqrt(2 layers). Tokens of one group (empty: each token its own) start at nearly the same embedding.
  void initialize(uint64_t seed, const std::vector<int32_t>& token_groups);

  const std::vector<Parameter>& all() const { return parameters_; }
  // Weights that are not trained: rope factors.
  const std::vector<ggml_tensor*>& frozen() const { return frozen_; }
  // Throws Error UNSUPPORTED_MODEL when there is no such tensor.
  const Parameter& named(const std::string& name) const;
  // A weight, trained or not; null when there is none.
  ggml_tensor* weight(const std::string& name) const;
  // Of the weights themselves; they change with every step.
  std::vector<WeightView> views() const;
  int64_t count() const;  // of trained values

 private:
  void add(const ModelTensor& tensor);

  ModelShape shape_;
  GgmlContext context_;
  GgmlBuffer buffer_;
  std::vector<Parameter> parameters_;
  std::vector<ggml_tensor*> frozen_;
  std::unordered_map<std::string, ggml_tensor*> weights_;
};

}  // namespace spct
