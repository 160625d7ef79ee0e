#pragma once

// A model small enough for finite differences, with a byte vocabulary, and sequences for it.

#include <gguf.h>

#include <cstdio>
#include <random>
#include <string>
#include <vector>

#include "train/trainer.h"

namespace spct {

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

inline std::unique_ptr<Trainer> small_trainer(const std::string& name, const TrainerOptions& options = {}) {
  const std::string vocabulary = write_byte_vocabulary(name + ".vocabulary.gguf", 256);
  return Trainer::create(vocabulary, small_shape(), 7, {}, options);
}

}  // namespace spct
