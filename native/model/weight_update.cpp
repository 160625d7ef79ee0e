#include "model/weight_update.h"

#include <algorithm>
#include <map>

#include "error.h"
#include "ggml-backend.h"
#include "llama-model.h"

namespace spct {

namespace {

bool converts(ggml_type type) {
  return type == GGML_TYPE_F32 || type == GGML_TYPE_F16 || type == GGML_TYPE_BF16 || type == GGML_TYPE_Q8_0;
}

void check(const WeightView& weight, const ggml_tensor* tensor) {
  if (tensor->ne[0] != weight.columns || tensor->ne[1] != weight.rows || tensor->ne[2] * tensor->ne[3] != 1) {
    throw Error("WEIGHTS_MISMATCH", "Expected " + std::to_string(tensor->ne[1]) + " x " +
                                        std::to_string(tensor->ne[0]) + " values for " + weight.name +
                                        " but received " + std::to_string(weight.rows) + " x " +
                                        std::to_string(weight.columns));
  }
  if (!converts(tensor->type)) {
    throw Error("UNSUPPORTED_MODEL", "Expected F32, F16, BF16 or Q8_0 for " + weight.name +
                                         " to be updated but it is " + ggml_type_name(tensor->type));
  }
}

void write(const WeightView& weight, ggml_tensor* tensor) {
  constexpr int64_t values_at_once = 1 << 20;
  const size_t row_size = ggml_row_size(tensor->type, weight.columns);
  const int64_t rows_at_once = std::max<int64_t>(1, values_at_once / weight.columns);
  std::vector<float> values;
  std::vector<uint8_t> encoded;
  for (int64_t row = 0; row < weight.rows; row += rows_at_once) {
    const int64_t rows = std::min(rows_at_once, weight.rows - row);
    values.resize(rows * weight.columns);
    weight.read(row, rows, values.data());
    if (tensor->type == GGML_TYPE_F32) {
      ggml_backend_tensor_set(tensor, values.data(), row * row_size, rows * row_size);
      continue;
    }
    encoded.resize(rows * row_size);
    ggml_quantize_chunk(tensor->type, values.data(), encoded.data(), 0, rows, weight.columns, nullptr);
    ggml_backend_tensor_set(tensor, encoded.data(), row * row_size, encoded.size());
  }
}

}  // namespace

void update_weights(const llama_model* model, const std::vector<WeightView>& weights) {
  std::map<std::string, const WeightView*> by_name;
  for (const WeightView& weight : weights) by_name[weight.name] = &weight;
  // A tied output matrix on another device is a second tensor of the same name.
  const auto& tensors = llama_internal_get_tensor_map(model);
  std::map<std::string, const WeightView*> unused = by_name;
  for (const auto& [name, tensor] : tensors) {
    const auto found = by_name.find(name);
    if (found == by_name.end()) throw Error("WEIGHTS_MISMATCH", "the model's tensor " + name + " was not given");
    check(*found->second, tensor);
    unused.erase(name);
  }
  if (!unused.empty()) throw Error("WEIGHTS_MISMATCH", "the model has no tensor " + unused.begin()->first);
  for (const auto& [name, tensor] : tensors) write(*by_name.at(name), tensor);
}

}  // namespace spct
