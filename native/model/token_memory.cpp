#include "model/token_memory.h"

#include <utility>

namespace spct {

namespace {

constexpr size_t entry_bytes = 96;  // of the map's node and bucket, beside what is in the text

}  // namespace

bool TokenMemory::Generation::append(const std::string& text, Tokens& out) const {
  const auto found = texts.find(text);
  if (found == texts.end()) return false;
  const auto [begin, end] = found->second;
  out.insert(out.end(), tokens.data() + begin, tokens.data() + end);
  return true;
}

void TokenMemory::append(const std::string& text, const Tokenize& tokenize, Tokens& out) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (recent_.append(text, out)) return;
    const size_t before = out.size();
    if (older_.append(text, out)) return remember(text, out.data() + before, out.size() - before);
  }
  const Tokens tokens = tokenize(text);
  out.insert(out.end(), tokens.begin(), tokens.end());
  const std::lock_guard<std::mutex> lock(mutex_);
  remember(text, tokens.data(), tokens.size());
}

size_t TokenMemory::bytes() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return recent_.bytes + older_.bytes;
}

void TokenMemory::remember(const std::string& text, const int32_t* tokens, size_t count) {
  const size_t bytes = entry_bytes + text.size() + count * sizeof(int32_t);
  if (bytes > capacity_ / 2) return;
  if (recent_.bytes + bytes > capacity_ / 2) older_ = std::exchange(recent_, {});
  if (recent_.texts.count(text) > 0) return;  // another thread was faster
  const size_t begin = recent_.tokens.size();
  recent_.tokens.insert(recent_.tokens.end(), tokens, tokens + count);
  recent_.texts.emplace(text, Span{begin, begin + count});
  recent_.bytes += bytes;
}

}  // namespace spct
