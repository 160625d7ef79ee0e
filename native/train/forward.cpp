#include "train/forward.h"

#include <cmath>

#include "train/architecture.h"

namespace spct {
namespace {

// cap * tanh(x / cap). ggml has no gradient for tanh(y) itself, but one for em / (em + 2) with em = expm1(2 y).
ggml_tensor* cap_softly(ggml_context* context, ggml_tensor* x, float cap) {
  ggml_tensor* em = ggml_expm1(context, ggml_scale(context, x, 2.0f / cap));
  return ggml_div(context, ggml_scale(context, em, cap), ggml_scale_bias(context, em, 1.0f, 2.0f));
}

// The tanh form of GELU, x * sigmoid(x * slope) with slope = 2 sqrt(2/pi) (1 + 0.044715 x^2), out of SiLU, whose
// gradient ggml has.
ggml_tensor* gelu(ggml_context* context, ggml_tensor* x) {
  constexpr float twice_root = 1.5957691216057308f;  // 2 sqrt(2/pi)
  ggml_tensor* slope = ggml_scale_bias(context, ggml_sqr(context, x), 0.044715f * twice_root, twice_root);
  return ggml_div(context, ggml_silu(context, ggml_mul(context, x, slope)), slope);
}

class ForwardBuilder {
 public:
  ForwardBuilder(ggml_context* context, const ModelShape& shape, const Parameters& parameters, const ForwardSize& size)
      : context_(context),
        shape_(shape),
        family_(find_architecture(shape.architecture)),
        parameters_(parameters),
        size_(size),
        cells_(int64_t{size.columns} * size.rows) {}

  ForwardGraph build(bool with_logits) {
    graph_.tokens_input = input(ggml_new_tensor_1d(context_, GGML_TYPE_I32, cells_));
    graph_.positions_input = input(ggml_new_tensor_1d(context_, GGML_TYPE_I32, cells_));
    graph_.mask_input = mask();
    if (shape_.window > 0 && size_.columns > shape_.window) graph_.window_mask_input = mask();
    graph_.outputs_input = input(ggml_new_tensor_1d(context_, GGML_TYPE_I32, size_.outputs));

    ggml_tensor* stream = ggml_get_rows(context_, weight("token_embd.weight"), graph_.tokens_input);
    if (family_.gemma) stream = ggml_scale(context_, stream, std::sqrt(static_cast<float>(shape_.embedding)));
    for (int layer = 0; layer < shape_.layers; ++layer) {
      ggml_tensor* attended = attention(norm(stream, layer_tensor(layer, "attn_norm")), layer);
      if (family_.post_norms) attended = norm(attended, layer_tensor(layer, "post_attention_norm"));
      stream = ggml_add(context_, stream, attended);
      ggml_tensor* fed = feed_forward(norm(stream, layer_tensor(layer, "ffn_norm")), layer);
      if (family_.post_norms) fed = norm(fed, layer_tensor(layer, "post_ffw_norm"));
      stream = ggml_add(context_, stream, fed);
    }
    graph_.hidden = norm(ggml_get_rows(context_, stream, graph_.outputs_input), "output_norm.weight");
    if (with_logits) {
      graph_.logits = product(shape_.tied_output ? "token_embd.weight" : "output.weight", graph_.hidden);
      if (shape_.final_softcap > 0) graph_.logits = cap_softly(context_, graph_.logits, shape_.final_softcap);
    }
    return graph_;
  }

 private:
  ggml_tensor* input(ggml_tensor* tensor) {
    ggml_set_input(tensor);
    return tensor;
  }

  ggml_tensor* mask() {
    return input(ggml_new_tensor_4d(context_, GGML_TYPE_F32, size_.columns, size_.columns, 1, size_.masks));
  }

  ggml_tensor* weight(const std::string& name) const { return parameters_.weight(name); }

  ggml_tensor* norm(ggml_tensor* stream, const std::string& name) {
    return ggml_mul(context_, ggml_rms_norm(context_, stream, shape_.norm_epsilon), weight(name));
  }

  // With the matrix's adapter, if it has one.
  ggml_tensor* product(const std::string& name, ggml_tensor* stream) {
    ggml_tensor* whole = ggml_mul_mat(context_, weight(name), stream);
    ggml_tensor* a = weight(name + ".lora_a");
    if (a == nullptr) return whole;
    ggml_tensor* low = ggml_mul_mat(context_, weight(name + ".lora_b"), ggml_mul_mat(context_, a, stream));
    return ggml_add(context_, whole, ggml_scale(context_, low, parameters_.lora()->scale()));
  }

  // [head size, heads, cells]
  ggml_tensor* project(ggml_tensor* stream, int layer, const char* part, int heads) {
    ggml_tensor* projected = product(layer_tensor(layer, part), stream);
    if (shape_.projection_biases) projected = ggml_add(context_, projected, weight(layer_bias(layer, part)));
    return ggml_reshape_3d(context_, projected, shape_.head_size(), heads, cells_);
  }

  ggml_tensor* rotate(ggml_tensor* heads) {
    return ggml_rope_ext(context_, heads, graph_.positions_input, weight("rope_freqs.weight"), shape_.head_size(),
                         family_.splits_rotation ? GGML_ROPE_TYPE_NEOX : GGML_ROPE_TYPE_NORMAL, shape_.context,
                         shape_.rope_base, 1.0f / shape_.rope_scaling, 0.0f, 1.0f, 32.0f, 1.0f);
  }

  // [head size, columns, heads * rows]: rows are folded into the head dimension because ggml's gradient of a matrix
  // product with grouped heads allows three dimensions only.
  ggml_tensor* fold(ggml_tensor* heads) {
    ggml_tensor* split = ggml_reshape_4d(context_, heads, heads->ne[0], heads->ne[1], size_.columns, size_.rows);
    ggml_tensor* ordered = ggml_cont(context_, ggml_permute(context_, split, 0, 2, 1, 3));
    return ggml_reshape_3d(context_, ordered, ordered->ne[0], ordered->ne[1], ordered->ne[2] * ordered->ne[3]);
  }

  ggml_tensor* queries_or_keys(ggml_tensor* stream, int layer, const char* part, const char* norm_part, int heads) {
    ggml_tensor* projected = project(stream, layer, part, heads);
    if (family_.query_key_norms) projected = norm(projected, layer_tensor(layer, norm_part));
    return fold(rotate(projected));
  }

  // [columns, head size, heads * rows]
  ggml_tensor* values(ggml_tensor* stream, int layer) {
    ggml_tensor* projected = project(stream, layer, "attn_v", shape_.kv_heads);
    projected = ggml_reshape_4d(context_, projected, shape_.head_size(), shape_.kv_heads, size_.columns, size_.rows);
    projected = ggml_cont(context_, ggml_permute(context_, projected, 1, 2, 0, 3));
    return ggml_reshape_3d(context_, projected, size_.columns, shape_.head_size(),
                           int64_t{shape_.kv_heads} * size_.rows);
  }

  // Softmax over the keys of each query. The mask of a row serves all of its heads.
  ggml_tensor* shares(ggml_tensor* keys, ggml_tensor* queries, int layer) {
    ggml_tensor* mask =
        shape_.has_window(layer) && graph_.window_mask_input != nullptr ? graph_.window_mask_input : graph_.mask_input;
    float scale = shape_.attention_scale();
    ggml_tensor* scores = ggml_mul_mat(context_, keys, queries);
    if (shape_.attention_softcap > 0) {
      scores = cap_softly(context_, ggml_scale(context_, scores, scale), shape_.attention_softcap);
      scale = 1.0f;
    }
    scores = ggml_reshape_4d(context_, scores, size_.columns, size_.columns, shape_.heads, size_.rows);
    ggml_tensor* found = ggml_soft_max_ext(context_, scores, mask, scale, 0.0f);
    // Keeps ggml's allocator from placing the gradient over it, from which that gradient is computed.
    ggml_set_output(found);
    return ggml_reshape_3d(context_, found, size_.columns, size_.columns, int64_t{shape_.heads} * size_.rows);
  }

  ggml_tensor* attention(ggml_tensor* stream, int layer) {
    ggml_tensor* queries = queries_or_keys(stream, layer, "attn_q", "attn_q_norm", shape_.heads);
    ggml_tensor* keys = queries_or_keys(stream, layer, "attn_k", "attn_k_norm", shape_.kv_heads);
    ggml_tensor* mixed = ggml_mul_mat(context_, values(stream, layer), shares(keys, queries, layer));
    mixed = ggml_reshape_4d(context_, mixed, shape_.head_size(), size_.columns, shape_.heads, size_.rows);
    mixed = ggml_cont(context_, ggml_permute(context_, mixed, 0, 2, 1, 3));
    mixed = ggml_reshape_2d(context_, mixed, int64_t{shape_.head_size()} * shape_.heads, cells_);
    return product(layer_tensor(layer, "attn_output"), mixed);
  }

  ggml_tensor* feed_forward(ggml_tensor* stream, int layer) {
    ggml_tensor* gate = product(layer_tensor(layer, "ffn_gate"), stream);
    ggml_tensor* up = product(layer_tensor(layer, "ffn_up"), stream);
    ggml_tensor* gated =
        family_.gelu_gate ? ggml_mul(context_, gelu(context_, gate), up) : ggml_swiglu_split(context_, gate, up);
    return product(layer_tensor(layer, "ffn_down"), gated);
  }

  ggml_context* context_;
  const ModelShape& shape_;
  const Architecture& family_;
  const Parameters& parameters_;
  const ForwardSize size_;
  const int64_t cells_;
  ForwardGraph graph_;
};

}  // namespace

ForwardGraph build_forward(ggml_context* context, const ModelShape& shape, const Parameters& parameters,
                           const ForwardSize& size, bool with_logits) {
  return ForwardBuilder(context, shape, parameters, size).build(with_logits);
}

}  // namespace spct
