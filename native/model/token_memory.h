#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace spct {

// Tokens of short texts that were tokenized before. Thread-safe. Takes at most about `capacity` bytes, of which there
// are less than 4 GiB: what has not been asked for in a while is forgotten.
class TokenMemory {
 public:
  using Tokens = std::vector<int32_t>;
  using Tokenize = std::function<Tokens(std::string_view)>;

  explicit TokenMemory(size_t capacity) : capacity_(capacity) {}

  // Appends the tokens of `text`: remembered, or what `tokenize` gives, which then is remembered. What it throws is
  // thrown on, and nothing was appended.
  void append(std::string_view text, const Tokenize& tokenize, Tokens& out);

  size_t bytes() const;

 private:
  // A table with linear probing. Everything lies in three places: between two judgements the model goes through all
  // caches, and a text is looked up in memory that is cold.
  class Generation {
   public:
    bool append(std::string_view text, size_t hash, Tokens& out) const;
    void add(std::string_view text, size_t hash, const int32_t* tokens, size_t count);
    size_t bytes() const { return bytes_; }
    static size_t bytes_of(std::string_view text, size_t tokens);

   private:
    struct Entry {
      uint32_t hash, text_begin, text_size, tokens_begin, tokens_size;
      bool used = false;
    };

    size_t place_of(std::string_view text, size_t hash) const;
    void grow();

    std::vector<Entry> table_;  // a power of two, at least twice as many as are used
    size_t used_ = 0;
    std::string texts_;
    Tokens tokens_;
    size_t bytes_ = 0;
  };

  void remember(std::string_view text, size_t hash, const int32_t* tokens, size_t count);

  const size_t capacity_;
  mutable std::mutex mutex_;
  Generation recent_, older_;  // guarded by mutex_; each may take half of the capacity
};

}  // namespace spct
