#pragma once

#include <vector>

struct ggml_tensor;
struct llama_model;

namespace spct {

// The matrices of a model that states are multiplied with, the output's too, which lie in host memory as they are in
// the file.
std::vector<const ggml_tensor*> multiplied_weights(const llama_model* model);

// The matrices of a model's layers, wherever they lie.
std::vector<const ggml_tensor*> layer_matrices(const llama_model* model);

}  // namespace spct
