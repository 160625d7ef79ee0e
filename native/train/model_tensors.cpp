#include "train/model_tensors.h"

#include "train/architecture.h"

namespace spct {
namespace {

std::string layer_part(int layer, const char* part) { return "blk." + std::to_string(layer) + "." + part; }

}  // namespace

std::string layer_tensor(int layer, const char* part) { return layer_part(layer, part) + ".weight"; }

std::string layer_bias(int layer, const char* part) { return layer_part(layer, part) + ".bias"; }

std::vector<ModelTensor> model_tensors(const ModelShape& shape) {
  const Architecture& family = find_architecture(shape.architecture);
  const int64_t width = shape.embedding;
  const int64_t query_width = int64_t{shape.head_size()} * shape.heads;
  const int64_t kv_width = int64_t{shape.head_size()} * shape.kv_heads;
  std::vector<ModelTensor> tensors;
  const auto matrix = [&](const std::string& name, int64_t columns, int64_t rows) {
    tensors.push_back({name, TensorKind::matrix, columns, rows});
  };
  const auto norm = [&](const std::string& name, int64_t columns) {
    tensors.push_back({name, TensorKind::norm, columns, 1});
  };

  matrix("token_embd.weight", width, shape.vocabulary);
  if (shape.rope_factors) {
    tensors.push_back({"rope_freqs.weight", TensorKind::rope_factors, shape.head_size() / 2, 1});
  }
  for (int layer = 0; layer < shape.layers; ++layer) {
    const auto project = [&](const char* part, int64_t rows) {
      matrix(layer_tensor(layer, part), width, rows);
      if (shape.projection_biases) tensors.push_back({layer_bias(layer, part), TensorKind::bias, rows, 1});
    };
    norm(layer_tensor(layer, "attn_norm"), width);
    project("attn_q", query_width);
    project("attn_k", kv_width);
    project("attn_v", kv_width);
    if (family.query_key_norms) {
      norm(layer_tensor(layer, "attn_q_norm"), shape.head_size());
      norm(layer_tensor(layer, "attn_k_norm"), shape.head_size());
    }
    matrix(layer_tensor(layer, "attn_output"), query_width, width);
    if (family.post_norms) norm(layer_tensor(layer, "post_attention_norm"), width);
    norm(layer_tensor(layer, "ffn_norm"), width);
    matrix(layer_tensor(layer, "ffn_gate"), width, shape.feed_forward);
    matrix(layer_tensor(layer, "ffn_up"), width, shape.feed_forward);
    matrix(layer_tensor(layer, "ffn_down"), shape.feed_forward, width);
    if (family.post_norms) norm(layer_tensor(layer, "post_ffw_norm"), width);
  }
  norm("output_norm.weight", width);
  if (!shape.tied_output) matrix("output.weight", width, shape.vocabulary);
  return tensors;
}

}  // namespace spct
