#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "scoring/sampler.h"

namespace spct {

struct BatchToken {
  int32_t token;
  int32_t position;
  int32_t sequence;
  bool output;  // whether this row's logits or state are used
};

// Fork: positions [0, length) of `from` become positions of `to`, which must be empty.
struct SequenceCopy {
  int32_t from, to, length;
};

// Forget positions [begin, end of the sequence).
struct SequenceRemoval {
  int32_t sequence, begin;
};

// The head's value for one output row.
struct HeadScore {
  int32_t row = 0;
  float value = 0.0f;  // out
};

enum class DecodeStatus : uint8_t {
  ok,
  no_space,  // no KV cell free; nothing of the batch was computed
  aborted,   // request_abort() was called; positions of the batch are undefined
};

struct ModelLimits {
  int32_t cells = 0;  // KV cells in all
  int32_t cells_per_sequence = 0;
  int32_t max_sequences = 0;  // at least 2; a sequence has at most one output row in a batch
  int32_t batch_tokens = 0;   // of one decode() call
  int32_t vocabulary = 0;
  int32_t prefix_cache_tokens = 0;  // prompts that nothing uses are kept while all prompts have at most so many tokens
  bool has_head = false;
};

// What the scheduler needs to know of the vocabulary.
class TokenText {
 public:
  virtual ~TokenText() = default;
  virtual const std::string& piece(int32_t token) const = 0;  // bytes; control tokens are empty
  virtual bool ends_generation(int32_t token) const = 0;
};

// A model with its KV cache. Used from one thread only, except for request_abort().
class Model : public TokenText {
 public:
  virtual ModelLimits limits() const = 0;
  virtual void copy(const SequenceCopy& copy) = 0;
  virtual void remove(const SequenceRemoval& removal) noexcept = 0;
  virtual void clear() noexcept = 0;
  // Rows are counted over the tokens with `output`, in order. Throws Error when the backend fails.
  virtual DecodeStatus decode(const std::vector<BatchToken>& batch, std::vector<Draw>& draws,
                              std::vector<HeadScore>& heads) = 0;
  virtual void request_abort() = 0;
};

}  // namespace spct
