#include "scoring/random.h"

#include <cstdint>
#include <set>

#include "check.h"

using namespace spct;

namespace {

// The known answers published with Random123 (kat_vectors, philox4x32 10).
void philox_known_answers() {
  const PhiloxBlock zero = philox({{0, 0, 0, 0}}, 0, 0);
  CHECK(zero.word[0] == 0x6627e8d5u && zero.word[1] == 0xe169c58du);
  CHECK(zero.word[2] == 0xbc57ac4cu && zero.word[3] == 0x9b00dbd8u);
  const uint32_t ones = 0xffffffffu;
  const PhiloxBlock full = philox({{ones, ones, ones, ones}}, ones, ones);
  CHECK(full.word[0] == 0x408f276du && full.word[1] == 0x41c83b0eu);
  CHECK(full.word[2] == 0xa20bc7c6u && full.word[3] == 0x6d5451fdu);
  const PhiloxBlock pi = philox({{0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u}}, 0xa4093822u, 0x299f31d0u);
  CHECK(pi.word[0] == 0xd16cfe09u && pi.word[1] == 0x94fdccebu);
  CHECK(pi.word[2] == 0x5001e420u && pi.word[3] == 0x24126ea1u);
}

void multiply_high_by_hand() {
  const uint64_t top = ~uint64_t{0};
  CHECK(multiply_high(0, top) == 0);
  CHECK(multiply_high(top, top) == top - 1);
  CHECK(multiply_high(uint64_t{1} << 63, 10) == 5);
  CHECK(multiply_high(uint64_t{1} << 32, uint64_t{1} << 32) == 1);
  CHECK(multiply_high(0x123456789abcdef0u, 0x0fedcba987654321u) == 0x0121fa00ad77d742u);
}

// 4096 neighbouring keys: no bit of the result is stuck or follows the key.
void neighbouring_keys_are_independent() {
  std::set<uint64_t> seen;
  int ones[64] = {};
  for (uint64_t seed = 0; seed < 64; ++seed) {
    for (uint32_t step = 0; step < 64; ++step) {
      const uint64_t bits = random_bits(seed, step);
      seen.insert(bits);
      for (int bit = 0; bit < 64; ++bit) ones[bit] += bits >> bit & 1;
    }
  }
  CHECK(seen.size() == 4096);
  for (const int count : ones) CHECK_NEAR(count, 2048, 5 * 32);
}

}  // namespace

int main() {
  philox_known_answers();
  multiply_high_by_hand();
  neighbouring_keys_are_independent();
  return check_result();
}
