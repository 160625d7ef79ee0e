#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace spct {

// One training example: a prompt followed by the completion that the model should learn.
struct Sequence {
  std::vector<int32_t> tokens;
  int32_t completion_begin;  // index of the first completion token; at least 1

  int64_t size() const { return static_cast<int64_t>(tokens.size()); }
  int64_t completion_size() const { return size() - completion_begin; }
};

// Throws Error INVALID_ARGUMENT for an empty completion, a token outside the vocabulary or too long a sequence.
void check_sequence(const Sequence& sequence, int vocabulary, int context);

std::vector<const Sequence*> select(const std::vector<Sequence>& sequences, const std::vector<size_t>& indices);

}  // namespace spct
