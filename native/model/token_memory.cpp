#include "model/token_memory.h"

#include <utility>

namespace spct {

size_t TokenMemory::Generation::bytes_of(std::string_view text, size_t tokens) {
  return 4 * sizeof(Entry) + text.size() + tokens * sizeof(int32_t);  // a quarter of the table is used at least
}

// Where the text is, or belongs. The table has an unused place.
size_t TokenMemory::Generation::place_of(std::string_view text, size_t hash) const {
  size_t place = hash & (table_.size() - 1);
  while (table_[place].used) {
    const Entry& entry = table_[place];
    if (entry.hash == static_cast<uint32_t>(hash) &&
        text == std::string_view(texts_).substr(entry.text_begin, entry.text_size)) {
      break;
    }
    place = (place + 1) & (table_.size() - 1);
  }
  return place;
}

bool TokenMemory::Generation::append(std::string_view text, size_t hash, Tokens& out) const {
  if (table_.empty()) return false;
  const Entry& entry = table_[place_of(text, hash)];
  if (!entry.used) return false;
  const int32_t* first = tokens_.data() + entry.tokens_begin;
  out.insert(out.end(), first, first + entry.tokens_size);
  return true;
}

void TokenMemory::Generation::add(std::string_view text, size_t hash, const int32_t* tokens, size_t count) {
  if (2 * (used_ + 1) > table_.size()) grow();
  Entry& entry = table_[place_of(text, hash)];
  if (entry.used) return;  // another thread was faster
  entry = {static_cast<uint32_t>(hash),        static_cast<uint32_t>(texts_.size()),
           static_cast<uint32_t>(text.size()), static_cast<uint32_t>(tokens_.size()),
           static_cast<uint32_t>(count),       true};
  texts_.append(text);
  tokens_.insert(tokens_.end(), tokens, tokens + count);
  ++used_;
  bytes_ += bytes_of(text, count);
}

void TokenMemory::Generation::grow() {
  const std::vector<Entry> entries = std::exchange(table_, std::vector<Entry>(table_.empty() ? 64 : 2 * table_.size()));
  for (const Entry& entry : entries) {
    if (!entry.used) continue;
    const std::string_view text = std::string_view(texts_).substr(entry.text_begin, entry.text_size);
    table_[place_of(text, entry.hash)] = entry;
  }
}

void TokenMemory::append(std::string_view text, const Tokenize& tokenize, Tokens& out) {
  const size_t hash = std::hash<std::string_view>()(text);
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (recent_.append(text, hash, out)) return;
    const size_t before = out.size();
    if (older_.append(text, hash, out)) return remember(text, hash, out.data() + before, out.size() - before);
  }
  const Tokens tokens = tokenize(text);
  out.insert(out.end(), tokens.begin(), tokens.end());
  const std::lock_guard<std::mutex> lock(mutex_);
  remember(text, hash, tokens.data(), tokens.size());
}

size_t TokenMemory::bytes() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return recent_.bytes() + older_.bytes();
}

void TokenMemory::remember(std::string_view text, size_t hash, const int32_t* tokens, size_t count) {
  const size_t bytes = Generation::bytes_of(text, count);
  if (bytes > capacity_ / 2) return;
  if (recent_.bytes() + bytes > capacity_ / 2) older_ = std::exchange(recent_, {});
  recent_.add(text, hash, tokens, count);
}

}  // namespace spct
