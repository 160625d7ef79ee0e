#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "train/model_tensors.h"

namespace spct {

// Low-rank adaptation (arXiv 2106.09685): a matrix W of the layers stays as it is, and W x + alpha / rank * B (A x) is
// computed, with A [inputs, rank] and B [rank, outputs] trained. A starts Gaussian, B at 0.
struct LoraOptions {
  int rank = 8;
  float alpha = 16;
  std::vector<std::string> targets;  // parts of a layer, as attn_q; empty: all of its matrices
  uint64_t seed = 0;
  std::string adapter;  // a saved adapter or checkpoint to go on from; empty: a new one

  float scale() const { return alpha / static_cast<float>(rank); }

  // Throws Error INVALID_ARGUMENT when a value is out of range or a target is no matrix of a layer.
  void check(const ModelShape& shape) const;
  bool adapts(const ModelTensor& tensor) const;
};

// The pair of tensors for one matrix, named as llama.cpp reads them.
std::vector<ModelTensor> adapter_tensors(const ModelTensor& matrix, int rank);

}  // namespace spct
