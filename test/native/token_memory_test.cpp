// What a memory of tokens keeps, what it forgets, and that it may be asked from several threads.
#include "model/token_memory.h"

#include <atomic>
#include <stdexcept>
#include <thread>

#include "check.h"

using namespace spct;

namespace {

TokenMemory::Tokens lengths(const std::string& text) {
  return TokenMemory::Tokens(2, static_cast<int32_t>(text.size()));
}

TokenMemory::Tokens must_be_remembered(const std::string& text) { throw std::runtime_error(text); }

bool remembers(TokenMemory& memory, const std::string& text) {
  try {
    return memory.recall(text, must_be_remembered) == lengths(text);
  } catch (const std::runtime_error&) {
    return false;
  }
}

void what_was_tokenized_is_not_tokenized_again() {
  TokenMemory memory(1 << 20);
  CHECK(!remembers(memory, " river"));
  CHECK(memory.bytes() == 0);
  CHECK(memory.recall(" river", lengths) == lengths(" river"));
  CHECK(remembers(memory, " river"));
  CHECK(!remembers(memory, "river"));
}

void what_is_asked_for_stays_and_the_rest_is_forgotten() {
  const size_t capacity = 64 << 10;
  TokenMemory memory(capacity);
  memory.recall("instructions", lengths);
  for (int i = 0; i < 10000; ++i) {
    memory.recall("text " + std::to_string(i), lengths);
    CHECK(remembers(memory, "instructions"));
    CHECK(memory.bytes() <= capacity);
  }
  CHECK(remembers(memory, "text 9999"));
  CHECK(!remembers(memory, "text 0"));
}

void what_takes_half_of_the_capacity_is_not_kept() {
  TokenMemory memory(4096);
  memory.recall("instructions", lengths);
  const std::string large(2048, 'x');
  CHECK(memory.recall(large, lengths) == lengths(large));
  CHECK(!remembers(memory, large));
  CHECK(remembers(memory, "instructions"));
}

void several_threads_get_what_one_gets() {
  TokenMemory memory(16 << 10);
  std::atomic<bool> wrong{false};
  const auto ask = [&](int first) {
    for (int i = 0; i < 20000; ++i) {
      const std::string text(static_cast<size_t>((first + i) % 300), 'a');
      if (memory.recall(text, lengths) != lengths(text)) wrong = true;
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
