#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

namespace spct {

// Tokens of short texts that were tokenized before. Thread-safe. Takes at most about `capacity` bytes: what has not
// been asked for in a while is forgotten.
class TokenMemory {
 public:
  using Tokens = std::vector<int32_t>;
  using Tokenize = std::function<Tokens(const std::string&)>;

  explicit TokenMemory(size_t capacity) : capacity_(capacity) {}

  // The tokens of `text`: remembered, or what `tokenize` gives, which then is remembered. What it throws is thrown on.
  Tokens recall(const std::string& text, const Tokenize& tokenize);

  size_t bytes() const;

 private:
  struct Generation {
    std::unordered_map<std::string, Tokens> texts;
    size_t bytes = 0;
  };

  void remember(const std::string& text, const Tokens& tokens);

  const size_t capacity_;
  mutable std::mutex mutex_;
  Generation recent_, older_;  // guarded by mutex_; each may take half of the capacity
};

}  // namespace spct
