#include "train/forward.h"

#include <cmath>

namespace spct {
namespace {

class ForwardBuilder {
 public:
  ForwardBuilder(ggml_context* context, const ModelShape& shape, const Parameters& parameters, int columns, int rows)
      : context_(context), shape_(shape), parameters_(parameters), columns_(columns), rows_(rows) {}

  ForwardGraph build(int outputs, bool with_logits) {
    ForwardGraph graph;
    graph.tokens_input = input(GGML_TYPE_I32, int64_t{columns_} * rows_, 1);
    graph.positions_input = positions_ = input(GGML_TYPE_I32, columns_, 1);
    graph.mask_input = mask_ = input(GGML_TYPE_F32, columns_, columns_);
    graph.outputs_input = input(GGML_TYPE_I32, outputs, 1);

    ggml_tensor* stream = ggml_get_rows(context_, weight("token_embd.weight"), graph.tokens_input);
    for (int layer = 0; layer < shape_.layers; ++layer) {
      stream = ggml_add(context_, stream, attention(norm(stream, layer_tensor(layer, "attn_norm")), layer));
      stream = ggml_add(context_, stream, feed_forward(norm(stream, layer_tensor(layer, "ffn_norm")), layer));
    }
    graph.hidden = norm(ggml_get_rows(context_, stream, graph.outputs_input), "output_norm.weight");
    if (with_logits) {
      const char* head = shape_.tied_output ? "token_embd.weight" : "output.weight";
      graph.logits = ggml_mul_mat(context_, weight(head), graph.hidden);
    }
    return graph;
  }

 private:
  ggml_tensor* input(ggml_type type, int64_t columns, int64_t rows) {
    ggml_tensor* tensor = ggml_new_tensor_2d(context_, type, columns, rows);
    ggml_set_input(tensor);
    return tensor;
  }

  ggml_tensor* weight(const std::string& name) const { return parameters_.named(name).weight; }

  ggml_tensor* norm(ggml_tensor* stream, const std::string& name) {
    return ggml_mul(context_, ggml_rms_norm(context_, stream, shape_.norm_epsilon), weight(name));
  }

  ggml_tensor* rotate(ggml_tensor* heads) {
    return ggml_rope_ext(context_, heads, positions_, nullptr, shape_.head_size(), GGML_ROPE_TYPE_NORMAL,
                         shape_.context, shape_.rope_base, 1.0f, 0.0f, 1.0f, 32.0f, 1.0f);
  }

  // [head size, columns, heads * rows]: sequences are folded into the head dimension because ggml's gradient of a
  // matrix product with grouped heads allows three dimensions only.
  ggml_tensor* fold(ggml_tensor* heads) {
    ggml_tensor* ordered = ggml_cont(context_, ggml_permute(context_, heads, 0, 2, 1, 3));
    return ggml_reshape_3d(context_, ordered, ordered->ne[0], ordered->ne[1], ordered->ne[2] * ordered->ne[3]);
  }

  ggml_tensor* project(ggml_tensor* stream, int layer, const char* part, int heads) {
    ggml_tensor* projected = ggml_mul_mat(context_, weight(layer_tensor(layer, part)), stream);
    return ggml_reshape_4d(context_, projected, shape_.head_size(), heads, columns_, rows_);
  }

  ggml_tensor* attention(ggml_tensor* stream, int layer) {
    ggml_tensor* queries = fold(rotate(project(stream, layer, "attn_q", shape_.heads)));
    ggml_tensor* keys = fold(rotate(project(stream, layer, "attn_k", shape_.kv_heads)));
    ggml_tensor* values = project(stream, layer, "attn_v", shape_.kv_heads);
    values = ggml_cont(context_, ggml_permute(context_, values, 1, 2, 0, 3));
    values = ggml_reshape_3d(context_, values, columns_, shape_.head_size(), int64_t{shape_.kv_heads} * rows_);

    const float scale = 1.0f / std::sqrt(static_cast<float>(shape_.head_size()));
    ggml_tensor* shares = ggml_soft_max_ext(context_, ggml_mul_mat(context_, keys, queries), mask_, scale, 0.0f);
    ggml_tensor* mixed = ggml_mul_mat(context_, values, shares);
    mixed = ggml_reshape_4d(context_, mixed, shape_.head_size(), columns_, shape_.heads, rows_);
    mixed = ggml_cont(context_, ggml_permute(context_, mixed, 0, 2, 1, 3));
    mixed = ggml_reshape_2d(context_, mixed, shape_.embedding, int64_t{columns_} * rows_);
    return ggml_mul_mat(context_, weight(layer_tensor(layer, "attn_output")), mixed);
  }

  ggml_tensor* feed_forward(ggml_tensor* stream, int layer) {
    ggml_tensor* gate = ggml_mul_mat(context_, weight(layer_tensor(layer, "ffn_gate")), stream);
    ggml_tensor* up = ggml_mul_mat(context_, weight(layer_tensor(layer, "ffn_up")), stream);
    return ggml_mul_mat(context_, weight(layer_tensor(layer, "ffn_down")), ggml_swiglu_split(context_, gate, up));
  }

  ggml_context* context_;
  const ModelShape& shape_;
  const Parameters& parameters_;
  int columns_;
  int rows_;
  ggml_tensor* positions_ = nullptr;
  ggml_tensor* mask_ = nullptr;
};

}  // namespace

ForwardGraph build_forward(ggml_context* context, const ModelShape& shape, const Parameters& parameters, int columns,
                           int rows, int outputs, bool with_logits) {
  return ForwardBuilder(context, shape, parameters, columns, rows).build(outputs, with_logits);
}

}  // namespace spct
