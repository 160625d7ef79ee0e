#include "train/lora.h"

#include <algorithm>
#include <cmath>

#include "error.h"

namespace spct {
namespace {

// attn_q of blk.3.attn_q.weight; empty for what is not a matrix of a layer.
std::string part_of(const ModelTensor& tensor) {
  if (tensor.kind != TensorKind::matrix || tensor.name.compare(0, 4, "blk.") != 0) return "";
  const size_t begin = tensor.name.find('.', 4) + 1;
  return tensor.name.substr(begin, tensor.name.rfind('.') - begin);
}

}  // namespace

void LoraOptions::check(const ModelShape& shape) const {
  if (rank < 1)
    throw Error("INVALID_ARGUMENT", "Expected a LoRA rank of at least 1 but received " + std::to_string(rank));
  if (!(std::isfinite(alpha) && alpha > 0)) {
    throw Error("INVALID_ARGUMENT", "Expected a LoRA alpha above 0 but received " + std::to_string(alpha));
  }
  std::vector<std::string> parts;
  std::string names;
  for (const ModelTensor& tensor : model_tensors(shape)) {
    const std::string part = part_of(tensor);
    if (part.empty() || std::find(parts.begin(), parts.end(), part) != parts.end()) continue;
    names += (parts.empty() ? "" : ", ") + part;
    parts.push_back(part);
  }
  for (const std::string& target : targets) {
    if (std::find(parts.begin(), parts.end(), target) == parts.end()) {
      throw Error("INVALID_ARGUMENT", "Expected LoRA targets among " + names + " but received " + target);
    }
  }
}

bool LoraOptions::adapts(const ModelTensor& tensor) const {
  const std::string part = part_of(tensor);
  return !part.empty() && (targets.empty() || std::find(targets.begin(), targets.end(), part) != targets.end());
}

std::vector<ModelTensor> adapter_tensors(const ModelTensor& matrix, int rank) {
  return {{matrix.name + ".lora_a", TensorKind::matrix, matrix.columns, rank},
          {matrix.name + ".lora_b", TensorKind::matrix, rank, matrix.rows}};
}

}  // namespace spct
