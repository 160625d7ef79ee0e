#pragma once

#include <string>

namespace spct {

// What sets the layers of one family of models apart from llama's.
struct Architecture {
  const char* name;              // as general.architecture in a GGUF file
  bool splits_rotation = false;  // rotates value i with value i + half of the head (NEOX), not with its neighbour
  bool rope_factors = false;     // may have a tensor of factors for the rotation's frequencies
  bool query_key_norms = false;
  bool post_norms = false;  // a norm after attention and after the feed-forward, before they enter the stream
  bool gelu_gate = false;   // GELU (tanh form) instead of SiLU
  // Embeddings times sqrt(width), soft caps on the attention's and the final logits, every other layer with a window.
  bool gemma = false;
};

// Throws Error UNSUPPORTED_MODEL, naming those that can be trained.
const Architecture& find_architecture(const std::string& name);

}  // namespace spct
