#pragma once

// Runs CUDA kernels on the CPU, one fiber per thread, one block after the other. Threads switch only where they must
// wait for each other (barriers, warp exchanges), in an order drawn from a seed: a missing barrier shows as a result
// that depends on the seed. Include before the kernel's file. Threads of a block must not end early.

#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>

namespace simt {

struct Index {
  unsigned x;
};

struct Thread {
  Index index;
  Index block;
};

const Thread& current();

// Calls kernel() once per thread of every block. threads is a multiple of 32.
void launch(unsigned blocks, unsigned threads, uint64_t seed, const std::function<void()>& kernel);

// Waits for every thread of the block.
void block_barrier();

// Leaves 64 bits to the other lanes of the warp, waits for all of them, and gives the 32 values they left. `operation`
// names what the lanes do, which must be the same for all.
const uint64_t* warp_exchange(uint64_t bits, const char* operation);

template <class T>
T exchange_lane(T value, unsigned lane, const char* operation) {
  static_assert(sizeof(T) <= sizeof(uint64_t), "at most 64 bits are exchanged");
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  const uint64_t* lanes = warp_exchange(bits, operation);
  if (lane < 32) std::memcpy(&value, &lanes[lane], sizeof value);
  return value;
}

inline unsigned lane() { return current().index.x % 32; }

}  // namespace simt

#define __global__
#define __device__
#define __shared__ static
#define __launch_bounds__(threads)
#define threadIdx (simt::current().index)
#define blockIdx (simt::current().block)

inline void __syncthreads() { simt::block_barrier(); }

template <class T>
T __shfl_xor_sync(unsigned, T value, int mask) {
  return simt::exchange_lane(value, simt::lane() ^ static_cast<unsigned>(mask), "shfl_xor");
}

template <class T>
T __shfl_up_sync(unsigned, T value, int distance) {
  const int from = static_cast<int>(simt::lane()) - distance;
  return simt::exchange_lane(value, from < 0 ? simt::lane() : static_cast<unsigned>(from), "shfl_up");
}

template <class T>
T __shfl_sync(unsigned, T value, int from) {
  return simt::exchange_lane(value, static_cast<unsigned>(from), "shfl");
}

inline unsigned __ballot_sync(unsigned, bool vote) {
  const uint64_t* lanes = simt::warp_exchange(vote ? 1 : 0, "ballot");
  unsigned votes = 0;
  for (unsigned lane = 0; lane < 32; ++lane) votes |= static_cast<unsigned>(lanes[lane]) << lane;
  return votes;
}

inline int __popc(unsigned bits) { return __builtin_popcount(bits); }
inline int __ffs(unsigned bits) { return __builtin_ffs(static_cast<int>(bits)); }
inline int min(int a, int b) { return a < b ? a : b; }
inline uint32_t max(uint32_t a, uint32_t b) { return a > b ? a : b; }

inline int atomicAdd(int* address, int value) {
  const int before = *address;
  *address += value;
  return before;
}
