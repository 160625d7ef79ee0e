#pragma once

#include <cstdint>
#include <string>

struct gguf_context;

namespace spct {

// The sizes of a decoder-only transformer, as its GGUF metadata names them.
struct ModelShape {
  std::string architecture = "llama";
  int vocabulary = 0;
  int embedding = 0;
  int layers = 0;
  int heads = 0;
  int kv_heads = 0;
  int key_length = 0;  // values in a head; 0: embedding / heads
  int feed_forward = 0;
  int context = 0;
  float norm_epsilon = 1e-5f;
  float rope_base = 10000.0f;
  float rope_scaling = 1.0f;       // positions are divided by it
  bool rope_factors = false;       // the file has a factor for each frequency
  bool projection_biases = false;  // of queries, keys and values
  bool tied_output = true;         // the output projection is the token embedding
  float attention_softcap = 0;     // 0: none
  float final_softcap = 0;         // 0: none
  int window = 0;                  // tokens that layers 0, 2, 4... see, with their own; 0: all

  int head_size() const { return key_length > 0 ? key_length : embedding / heads; }
  bool has_window(int layer) const { return window > 0 && layer % 2 == 0; }
  // What llama.cpp multiplies the products of queries and keys with.
  float attention_scale() const;

  // Throws Error UNSUPPORTED_MODEL when a size is missing, does not divide, or the architecture cannot be trained.
  void check() const;
};

// Throws Error UNSUPPORTED_MODEL, naming what cannot be trained.
ModelShape read_shape(const gguf_context* file);
void write_shape(const ModelShape& shape, gguf_context* file);

}  // namespace spct
