#include "engine/stop_matcher.h"

#include <string>

#include "check.h"
#include "error.h"

using spct::SkippedSection;
using spct::StopMatcher;
using spct::StopPattern;

// The number of bytes after which the matcher fires, or -1.
static int fires_at(const std::string& pattern, const std::string& text, const SkippedSection& skip = {}) {
  const StopPattern compiled(pattern);
  StopMatcher matcher(compiled, skip);
  for (size_t i = 0; i < text.size(); ++i) {
    if (matcher.feed(text.substr(i, 1))) return static_cast<int>(i + 1);
  }
  return -1;
}

static bool rejected(const std::string& pattern) {
  try {
    StopPattern compiled(pattern);
    return false;
  } catch (const spct::Error& error) {
    return error.code() == "INVALID_STOP_PATTERN";
  }
}

int main() {
  CHECK(fires_at("abc", "xxabcxx") == 5);
  CHECK(fires_at("aab", "aaab") == 4);
  CHECK(fires_at("abc", "ababab") == -1);
  CHECK(fires_at("a|bc", "xbc") == 3);
  CHECK(fires_at("a(b|c)+d", "abcbcd") == 6);
  CHECK(fires_at("[a-c]{2,3}x", "abcx") == 4);
  CHECK(fires_at("[^a]b", "abxb") == 4);
  CHECK(fires_at("\\d{3}", "1a12345") == 5);
  CHECK(fires_at("a.c", "a\nc abc") == 7);
  CHECK(fires_at("[]x]y", "]y") == 2);
  CHECK(fires_at("[a\\]]y", "]y") == 2);
  CHECK(fires_at("x{0,2}y", "y") == 1);
  CHECK(fires_at("a{2,}", "aXaa") == 4);

  const std::string box = "\\\\boxed\\{\\s*\\d+\\s*,\\s*\\d+\\s*\\}";
  CHECK(fires_at(box, "so \\boxed{8, 5} then") == 15);
  CHECK(fires_at(box, "the answer \\boxed{42} is right: \\boxed{ 8 ,5}") == 45);
  CHECK(fires_at(box, "\\boxed{8, 5, 3}") == -1);
  CHECK(fires_at(box, "\\boxed{8, }") == -1);

  const SkippedSection think{"<think>", "</think>"};
  CHECK(fires_at("ab", "<think>ab</think>ab", think) == 19);
  CHECK(fires_at("ab", "<think>ab", think) == -1);
  CHECK(fires_at("ab", "a<think></think>b", think) == -1);
  CHECK(fires_at("ab", "<<think>ab</think>ab", think) == 20);

  // Pieces may be cut anywhere.
  const StopPattern pattern("abcd");
  StopMatcher matcher(pattern, think);
  CHECK(!matcher.feed("xab"));
  CHECK(matcher.feed("cdyy"));
  CHECK(matcher.feed(""));

  // Linear: nested repetitions over a long text end at once.
  CHECK(fires_at("(a*)*(a|b)*c", std::string(200000, 'a')) == -1);

  for (const char* bad :
       {"", "(", ")", "a)", "[a", "*", "a{2", "a{3,2}", "a{300}", "\\q", "[z-a]", "a\\", "((a{200}){200}){200}"}) {
    CHECK(rejected(bad));
  }
  CHECK(rejected(std::string(200, '(')));
  return check_result();
}
