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
  int feed_forward = 0;
  int context = 0;
  float norm_epsilon = 1e-5f;
  float rope_base = 10000.0f;
  bool tied_output = true;  // the output projection is the token embedding

  int head_size() const { return embedding / heads; }

  // Throws Error UNSUPPORTED_MODEL when a size is missing, does not divide, or the architecture cannot be trained.
  void check() const;
};

ModelShape read_shape(const gguf_context* file);
void write_shape(const ModelShape& shape, gguf_context* file);

}  // namespace spct
