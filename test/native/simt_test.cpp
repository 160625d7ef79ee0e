// The emulation itself: warp exchanges by hand, and that a missing barrier does show.
#include "simt/simt.h"

#include <vector>

#include "check.h"
#include "cuda/reduce.cuh"

using namespace spct;

namespace {

void exchanges_by_hand() {
  std::vector<int> up(64), exchanged(64), broadcast(64), inclusive(64);
  std::vector<unsigned> votes(64);
  simt::launch(1, 64, 1, [&] {
    const int i = static_cast<int>(threadIdx.x);
    up[i] = __shfl_up_sync(whole_warp, i, 3);
    exchanged[i] = __shfl_xor_sync(whole_warp, i, 5);
    broadcast[i] = __shfl_sync(whole_warp, i, 7);
    votes[i] = __ballot_sync(whole_warp, i % 3 == 0);
    inclusive[i] = warp_inclusive_sum(i);
  });
  for (int i = 0; i < 64; ++i) {
    const int lane = i % 32;
    CHECK(up[i] == (lane < 3 ? i : i - 3));
    CHECK(exchanged[i] == (i ^ 5));
    CHECK(broadcast[i] == i - lane + 7);
    CHECK(votes[i] == (i < 32 ? 0x49249249u : 0x92492492u));
    CHECK(inclusive[i] == (i - lane) * (lane + 1) + lane * (lane + 1) / 2);
  }
}

void blocks_reduce() {
  std::vector<uint64_t> sums(3), maxima(3);
  simt::launch(3, 128, 2, [&] {
    __shared__ uint64_t shared[2 * 4];
    uint64_t values[2] = {threadIdx.x, blockIdx.x};
    block_sum<128>(values, shared);
    if (threadIdx.x == 77) sums[blockIdx.x] = values[0] * 1000 + values[1];
    const uint64_t largest = block_max<128>(uint64_t{threadIdx.x} * 7 % 128, shared);
    if (threadIdx.x == 3) maxima[blockIdx.x] = largest;
  });
  for (uint64_t block = 0; block < 3; ++block) {
    CHECK(sums[block] == 8128 * 1000 + 128 * block);
    CHECK(maxima[block] == 127);
  }
}

// Every thread reads what its neighbour in the next warp wrote. Returns how many read something else.
int stale_reads(bool with_barrier, uint64_t order) {
  int stale = 0;
  simt::launch(1, 128, order, [&] {
    __shared__ unsigned written[128];
    written[threadIdx.x] = 0;
    __syncthreads();
    written[threadIdx.x] = threadIdx.x + 1;
    if (with_barrier) __syncthreads();
    const unsigned neighbour = (threadIdx.x + 32) % 128;
    if (written[neighbour] != neighbour + 1) ++stale;
  });
  return stale;
}

void missing_barriers_show() {
  for (uint64_t order = 0; order < 20; ++order) {
    CHECK(stale_reads(true, order) == 0);
    CHECK(stale_reads(false, order) > 0);
  }
}

}  // namespace

int main() {
  exchanges_by_hand();
  blocks_reduce();
  missing_barriers_show();
  return check_result();
}
