#pragma once

#include <string>
#include <vector>

#include "train/ggml_handles.h"
#include "train/model_shape.h"

namespace spct {

// One trainable tensor with its AdamW moments, all F32 and of one shape.
struct Parameter {
  std::string name;  // its name in a GGUF model file
  ggml_tensor* weight = nullptr;
  ggml_tensor* first_moment = nullptr;
  ggml_tensor* second_moment = nullptr;
  bool is_matrix = false;
};

// The weights of one model and the optimizer's memory of them, in one buffer of a backend.
class Parameters {
 public:
  Parameters(const ModelShape& shape, ggml_backend_t backend);

  // Gaussian with deviation 1/sqrt(fan in); projections into the residual stream are divided by sqrt(2 layers). Tokens
  // of one group (empty: each token its own) start at nearly the same embedding.
  void initialize(uint64_t seed, const std::vector<int32_t>& token_groups);

  const std::vector<Parameter>& all() const { return parameters_; }
  // Throws Error UNSUPPORTED_MODEL when there is no such tensor.
  const Parameter& named(const std::string& name) const;
  int64_t count() const;

 private:
  void add(const std::string& name, int64_t columns, int64_t rows);

  ModelShape shape_;
  GgmlContext context_;
  GgmlBuffer buffer_;
  std::vector<Parameter> parameters_;
};

std::string layer_tensor(int layer, const char* part);

}  // namespace spct
