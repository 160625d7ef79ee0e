// What a memory of tokens keeps, what it forgets, and that it may be asked from several threads.
#include "model/token_memory.h"

#include <atomic>
#include <stdexcept>
#include <thread>

#include "check.h"

using namespace spct;

namespace {

TokenMemory::Tokens lengths(std::string_view text) { return {static_cast<int32_t>(text.size()), 7}; }

TokenMemory::Tokens must_be_remembered(std::string_view text) { throw std::runtime_error(std::string(text)); }

TokenMemory::Tokens recall(TokenMemory& memory, const std::string& text,
                           const TokenMemory::Tokenize& tokenize = lengths) {
  TokenMemory::Tokens out{-1};
  memory.append(text, tokenize, out);
  CHECK(out.front() == -1);
  out.erase(out.begin());
  return out;
}

bool remembers(TokenMemory& memory, const std::string& text) {
  try {
    return recall(memory, text, must_be_remembered) == lengths(text);
  } catch (const std::runtime_error&) {
    return false;
  }
}

void what_was_tokenized_is_not_tokenized_again() {
  TokenMemory memory(1 << 20);
  CHECK(!remembers(memory, " river"));
  CHECK(memory.bytes() == 0);
  CHECK(recall(memory, " river") == lengths(" river"));
  CHECK(remembers(memory, " river"));
  CHECK(!remembers(memory, "river"));
}

void what_is_asked_for_stays_and_the_rest_is_forgotten() {
  const size_t capacity = 64 << 10;
  TokenMemory memory(capacity);
  recall(memory, "instructions");
  for (int i = 0; i < 10000; ++i) {
    recall(memory, "text " + std::to_string(i));
    CHECK(remembers(memory, "instructions"));
    CHECK(memory.bytes() <= capacity);
  }
  CHECK(remembers(memory, "text 9999"));
  CHECK(!remembers(memory, "text 0"));
}

void what_takes_half_of_the_capacity_is_not_kept() {
  TokenMemory memory(4096);
  recall(memory, "instructions");
  const std::string large(2048, 'x');
  CHECK(recall(memory, large) == lengths(large));
  CHECK(!remembers(memory, large));
  CHECK(remembers(memory, "instructions"));
}

void several_threads_get_what_one_gets() {
  TokenMemory memory(16 << 10);
  std::atomic<bool> wrong{false};
  const auto ask = [&](int first) {
    for (int i = 0; i < 20000; ++i) {
      const std::string text(static_cast<size_t>((first + i) % 300), 'a');
      if (recall(memory, text) != lengths(text)) wrong = true;
    }
  };
  std::thread one(ask, 0), other(ask, 150);
  one.join();
  other.join();
  CHECK(!wrong);
  CHECK(memory.bytes() <= 16 << 10);
}

}  // namespace

int main() {
  what_was_tokenized_is_not_tokenized_again();
  what_is_asked_for_stays_and_the_rest_is_forgotten();
  what_takes_half_of_the_capacity_is_not_kept();
  several_threads_get_what_one_gets();
  return check_result();
}
