#pragma once

// A model small enough for finite differences, with a byte vocabulary, and sequences for it.

#include <ggml-backend.h>
#include <gguf.h>

#include <cmath>
#include <cstdio>
#include <random>
#include <string>
#include <vector>

#include "train/trainer.h"

namespace spct {

inline const char* const architectures[] = {"llama", "qwen2", "qwen3", "gemma2"};

inline std::string write_byte_vocabulary(const std::string& path, int tokens) {
  gguf_context* file = gguf_init_empty();
  std::vector<std::string> texts;
  std::vector<int32_t> types(static_cast<size_t>(tokens), 1);
  for (int token = 0; token < tokens; ++token) {
    char text[5];
    std::snprintf(text, sizeof text, "\\x%02x", token);
    texts.emplace_back(text);
  }
  std::vector<const char*> pointers;
  for (const std::string& text : texts) pointers.push_back(text.c_str());
  gguf_set_val_str(file, "tokenizer.ggml.model", "rwkv");
  gguf_set_arr_str(file, "tokenizer.ggml.tokens", pointers.data(), pointers.size());
  gguf_set_arr_data(file, "tokenizer.ggml.token_type", GGUF_TYPE_INT32, types.data(), types.size());
  gguf_set_val_u32(file, "tokenizer.ggml.eos_token_id", 0);
  gguf_write_to_file(file, path.c_str(), false);
  gguf_free(file);
  return path;
}

inline ModelShape small_shape() {
  ModelShape shape;
  shape.embedding = 32;
  shape.layers = 2;
  shape.heads = 4;
  shape.kv_heads = 2;
  shape.feed_forward = 48;
  shape.context = 64;
  return shape;
}

// Small models that use all that sets their architecture apart: "llama" has rope factors and scaled positions too.
inline ModelShape small_shape(const std::string& architecture) {
  ModelShape shape = small_shape();
  shape.architecture = architecture;
  if (architecture == "llama") {
    shape.rope_factors = true;
    shape.rope_scaling = 2.0f;
    shape.tied_output = false;
  }
  if (architecture == "qwen2") shape.projection_biases = true;
  if (architecture == "qwen3") shape.key_length = 12;
  if (architecture == "gemma2") {
    shape.key_length = 16;
    shape.attention_softcap = 3.0f;
    shape.final_softcap = 4.0f;
    shape.window = 7;
  }
  return shape;
}

inline std::vector<Sequence> random_sequences(int count, int vocabulary, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<Sequence> sequences;
  for (int i = 0; i < count; ++i) {
    Sequence sequence;
    const int length = 6 + static_cast<int>(random() % 20);
    for (int at = 0; at < length; ++at) sequence.tokens.push_back(static_cast<int32_t>(random() % vocabulary));
    sequence.completion_begin = 1 + static_cast<int32_t>(random() % (length - 1));
    sequences.push_back(sequence);
  }
  return sequences;
}

inline std::unique_ptr<Trainer> small_trainer(const std::string& name, const TrainerOptions& options = {},
                                              const ModelShape& shape = small_shape()) {
  const std::string vocabulary = write_byte_vocabulary(name + ".vocabulary.gguf", 256);
  return Trainer::create(vocabulary, shape, 7, {}, options);
}

inline std::vector<float> read_tensor(const ggml_tensor* tensor) {
  std::vector<float> values(static_cast<size_t>(ggml_nelements(tensor)));
  ggml_backend_tensor_get(tensor, values.data(), 0, values.size() * sizeof(float));
  return values;
}

inline std::vector<float> model_weights(const Trainer& trainer) {
  std::vector<float> values;
  for (const Parameter& parameter : trainer.parameters().all()) {
    const std::vector<float> own = read_tensor(parameter.weight);
    values.insert(values.end(), own.begin(), own.end());
  }
  return values;
}

inline double distance(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += (double{a[i]} - b[i]) * (double{a[i]} - b[i]);
  return std::sqrt(sum);
}

inline void write_tensor(ggml_tensor* tensor, const std::vector<float>& values) {
  ggml_backend_tensor_set(tensor, values.data(), 0, values.size() * sizeof(float));
}

// A small trainer of an architecture whose norms, biases and rope factors are not what they start as.
inline std::unique_ptr<Trainer> varied_trainer(const std::string& name, const std::string& architecture,
                                               const TrainerOptions& options = {}) {
  auto trainer = small_trainer(name, options, small_shape(architecture));
  std::mt19937 random(5);
  const auto vary = [&](ggml_tensor* tensor) {
    std::vector<float> values = read_tensor(tensor);
    for (float& value : values) value += static_cast<float>(random() % 1000) / 1500.0f;
    write_tensor(tensor, values);
  };
  for (const Parameter& parameter : trainer->parameters().all()) {
    if (!parameter.is_matrix) vary(parameter.weight);
  }
  for (ggml_tensor* tensor : trainer->parameters().frozen()) vary(tensor);
  return trainer;
}

}  // namespace spct
