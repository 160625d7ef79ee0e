#pragma once

// Writes a llama-architecture GGUF of random F32 weights with a byte vocabulary, and a head for it.

#include <cmath>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "ggml.h"
#include "gguf.h"

namespace spct {

struct TinyShape {
  int32_t embedding = 64, layers = 2, heads = 4, kv_heads = 2, feed_forward = 96, context = 1024;
};

class TinyGguf {
 public:
  TinyGguf() : file_(gguf_init_empty()), context_(ggml_init({size_t{64} << 20, nullptr, false})) {}
  ~TinyGguf() {
    gguf_free(file_);
    ggml_free(context_);
  }

  void add(const char* name, int64_t columns, int64_t rows, float scale, uint32_t seed) {
    ggml_tensor* tensor = ggml_new_tensor_2d(context_, GGML_TYPE_F32, columns, rows);
    if (rows == 0) tensor = ggml_new_tensor_1d(context_, GGML_TYPE_F32, columns);
    ggml_set_name(tensor, name);
    std::mt19937 random(seed);
    std::normal_distribution<float> normal(0.0f, scale);
    auto* data = static_cast<float*>(tensor->data);
    for (int64_t i = 0; i < ggml_nelements(tensor); ++i) data[i] = scale == 0.0f ? 1.0f : normal(random);
    gguf_add_tensor(file_, tensor);
  }

  gguf_context* keys() { return file_; }
  void write(const std::string& path) { gguf_write_to_file(file_, path.c_str(), false); }

 private:
  gguf_context* file_;
  ggml_context* context_;
};

inline std::string write_tiny_model(const std::string& path, const TinyShape& shape = {}) {
  TinyGguf out;
  gguf_context* keys = out.keys();
  gguf_set_val_str(keys, "general.architecture", "llama");
  gguf_set_val_u32(keys, "llama.block_count", shape.layers);
  gguf_set_val_u32(keys, "llama.context_length", shape.context);
  gguf_set_val_u32(keys, "llama.embedding_length", shape.embedding);
  gguf_set_val_u32(keys, "llama.feed_forward_length", shape.feed_forward);
  gguf_set_val_u32(keys, "llama.attention.head_count", shape.heads);
  gguf_set_val_u32(keys, "llama.attention.head_count_kv", shape.kv_heads);
  gguf_set_val_f32(keys, "llama.attention.layer_norm_rms_epsilon", 1e-5f);

  std::vector<std::string> names{"<|end|>"};
  std::vector<int32_t> types{3};
  for (int byte = 0; byte < 256; ++byte) {
    char name[5];
    std::snprintf(name, sizeof name, "\\x%02x", byte);
    names.emplace_back(name);
    types.push_back(1);
  }
  std::vector<const char*> pointers;
  for (const auto& name : names) pointers.push_back(name.c_str());
  gguf_set_val_str(keys, "tokenizer.ggml.model", "rwkv");
  gguf_set_arr_str(keys, "tokenizer.ggml.tokens", pointers.data(), pointers.size());
  gguf_set_arr_data(keys, "tokenizer.ggml.token_type", GGUF_TYPE_INT32, types.data(), types.size());
  gguf_set_val_u32(keys, "tokenizer.ggml.eos_token_id", 0);

  const auto vocabulary = static_cast<int64_t>(names.size());
  const int64_t width = shape.embedding, kv_width = width / shape.heads * shape.kv_heads;
  const float scale = 1.0f / std::sqrt(static_cast<float>(width));
  uint32_t seed = 1;
  out.add("token_embd.weight", width, vocabulary, 1.0f, seed++);
  out.add("output.weight", width, vocabulary, 2.0f * scale, seed++);
  out.add("output_norm.weight", width, 0, 0.0f, seed++);
  for (int32_t layer = 0; layer < shape.layers; ++layer) {
    const auto name = [&](const char* part) { return "blk." + std::to_string(layer) + "." + part + ".weight"; };
    out.add(name("attn_norm").c_str(), width, 0, 0.0f, seed++);
    out.add(name("attn_q").c_str(), width, width, 2.0f * scale, seed++);
    out.add(name("attn_k").c_str(), width, kv_width, 2.0f * scale, seed++);
    out.add(name("attn_v").c_str(), width, kv_width, scale, seed++);
    out.add(name("attn_output").c_str(), width, width, scale, seed++);
    out.add(name("ffn_norm").c_str(), width, 0, 0.0f, seed++);
    out.add(name("ffn_gate").c_str(), width, shape.feed_forward, scale, seed++);
    out.add(name("ffn_up").c_str(), width, shape.feed_forward, scale, seed++);
    out.add(name("ffn_down").c_str(), shape.feed_forward, width, scale, seed++);
  }
  out.write(path);
  return path;
}

inline std::string write_tiny_head(const std::string& path, int64_t width) {
  TinyGguf out;
  gguf_set_val_str(out.keys(), "general.architecture", "spct-head");
  gguf_set_val_str(out.keys(), "spct.head.kind", "meta");
  gguf_set_val_str(out.keys(), "spct.head.activation", "none");
  gguf_set_val_str(out.keys(), "spct.head.pooling", "last");
  out.add("head.weight", width, 0, 1.0f, 77);
  out.add("head.bias", 1, 0, 1.0f, 78);
  out.write(path);
  return path;
}

}  // namespace spct
