#pragma once

#include <bitset>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace spct {

// A stop pattern, compiled once per group: a regular expression over bytes with literals, escapes (\d \s \w \n \t and
// escaped punctuation), classes [a-z], ., groups, |, * + ? and {m}, {m,}, {m,n}. No back references, no look-around:
// matching is linear in the text. Throws Error INVALID_STOP_PATTERN.
class StopPattern {
 public:
  explicit StopPattern(std::string_view expression);

  enum class Op : uint8_t { byte_set, split, jump, match };
  struct Instruction {
    Op op;
    int32_t a = 0;  // byte_set: index into sets(); split, jump: target
    int32_t b = 0;  // split: second target
  };
  const std::vector<Instruction>& program() const { return program_; }
  const std::vector<std::bitset<256>>& sets() const { return sets_; }

 private:
  std::vector<Instruction> program_;
  std::vector<std::bitset<256>> sets_;
};

// Text between open and close is not searched; both empty: everything is searched. An open section hides all that
// follows.
struct SkippedSection {
  std::string open;
  std::string close;
};

// Runs a StopPattern over a text that arrives in pieces. Searches anywhere in the text.
class StopMatcher {
 public:
  StopMatcher(const StopPattern& pattern, const SkippedSection& skip);

  // Returns true once a match has been completed by these bytes or earlier ones.
  bool feed(std::string_view bytes);

 private:
  void step(unsigned char byte);
  bool crosses_marker(unsigned char byte);
  void add(std::vector<int32_t>& states, int32_t at);

  const StopPattern* pattern_;
  const SkippedSection* skip_;
  std::vector<int32_t> states_, next_, stack_;
  std::vector<uint64_t> visited_;  // the generation that last reached an instruction
  uint64_t generation_ = 1;
  std::string recent_;  // the last bytes, as many as the marker in sight has
  bool skipping_ = false;
  bool matched_ = false;
};

}  // namespace spct
