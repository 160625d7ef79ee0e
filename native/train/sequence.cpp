#include "train/sequence.h"

#include <string>

#include "error.h"

namespace spct {

void check_sequence(const Sequence& sequence, int vocabulary, int context) {
  if (sequence.size() > context) {
    throw Error("INVALID_ARGUMENT", "Expected a sequence of at most " + std::to_string(context) +
                                        " tokens but received one of " + std::to_string(sequence.size()));
  }
  if (sequence.completion_begin < 1 || sequence.completion_size() < 1) {
    throw Error("INVALID_ARGUMENT", "Expected a prompt and a completion of at least one token each");
  }
  for (const int32_t token : sequence.tokens) {
    if (token < 0 || token >= vocabulary) {
      throw Error("INVALID_ARGUMENT",
                  "Expected tokens below " + std::to_string(vocabulary) + " but received " + std::to_string(token));
    }
  }
}

std::vector<const Sequence*> select(const std::vector<Sequence>& sequences, const std::vector<size_t>& indices) {
  std::vector<const Sequence*> selected;
  for (const size_t index : indices) selected.push_back(&sequences[index]);
  return selected;
}

}  // namespace spct
