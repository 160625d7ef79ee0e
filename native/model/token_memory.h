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

  // Appends the tokens of `text`: remembered, or what `tokenize` gives, which then is remembered. What it throws is
  // thrown on, and nothing was appended.
  void append(const std::string& text, const Tokenize& tokenize, Tokens& out);

  size_t bytes() const;

 private:
  struct Span {
    size_t begin, end;
  };
  // The tokens of all texts lie in one place, as those of a prompt are asked for one after the other.
  struct Generation {
    std::unordered_map<std::string, Span> texts;
    Tokens tokens;
    size_t bytes = 0;

    bool append(const std::string& text, Tokens& out) const;
  };

  void remember(const std::string& text, const int32_t* tokens, size_t count);

  const size_t capacity_;
  mutable std::mutex mutex_;
  Generation recent_, older_;  // guarded by mutex_; each may take half of the capacity
};

}  // namespace spct
