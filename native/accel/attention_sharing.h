#pragma once

#include <cstdint>
#include <string>
#include <vector>

struct ggml_tensor;

namespace spct {

// The instruction set with which attention over shared cells is computed on this machine; empty where it is not.
std::string attention_sharing_support();

// While it exists, ggml's scheduler gives the attention of a model to the accel device: that of queries which are a
// product of one of these weights with at least `least_rows` rows. Ends after the contexts that use the weights.
class AttentionSharing {
 public:
  // Without attention_sharing_support() nothing changes.
  AttentionSharing(std::vector<const ggml_tensor*> weights, int64_t least_rows);
  ~AttentionSharing();
  AttentionSharing(const AttentionSharing&) = delete;
  AttentionSharing& operator=(const AttentionSharing&) = delete;

 private:
  const std::vector<const ggml_tensor*> weights_;
};

}  // namespace spct
