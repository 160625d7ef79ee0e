#include "model/token_memory.h"

#include <utility>

namespace spct {

namespace {

constexpr size_t entry_bytes = 128;  // of the map's node and the blocks of both values, beside what is in them

}  // namespace

TokenMemory::Tokens TokenMemory::recall(const std::string& text, const Tokenize& tokenize) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto recent = recent_.texts.find(text);
    if (recent != recent_.texts.end()) return recent->second;
    const auto older = older_.texts.find(text);
    if (older != older_.texts.end()) {
      Tokens tokens = older->second;
      remember(text, tokens);
      return tokens;
    }
  }
  Tokens tokens = tokenize(text);
  const std::lock_guard<std::mutex> lock(mutex_);
  remember(text, tokens);
  return tokens;
}

size_t TokenMemory::bytes() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return recent_.bytes + older_.bytes;
}

void TokenMemory::remember(const std::string& text, const Tokens& tokens) {
  const size_t bytes = entry_bytes + text.size() + tokens.size() * sizeof(int32_t);
  if (bytes > capacity_ / 2) return;
  if (recent_.bytes + bytes > capacity_ / 2) older_ = std::exchange(recent_, {});
  if (recent_.texts.emplace(text, tokens).second) recent_.bytes += bytes;
}

}  // namespace spct
