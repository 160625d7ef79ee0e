#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "train/model_shape.h"

namespace spct {

enum class TensorKind { matrix, norm, bias, rope_factors };

// One tensor of a model file, as ggml counts: `columns` inputs, `rows` outputs; vectors have one row.
struct ModelTensor {
  std::string name;
  TensorKind kind;
  int64_t columns;
  int64_t rows;
};

// All tensors of a model of this shape.
std::vector<ModelTensor> model_tensors(const ModelShape& shape);

// blk.<layer>.<part>.weight
std::string layer_tensor(int layer, const char* part);
// blk.<layer>.<part>.bias
std::string layer_bias(int layer, const char* part);

}  // namespace spct
