#pragma once

// Sums and maxima over a warp or a block. Every thread of the block must call the block forms and gets the result.
// Nothing here includes a CUDA header: nvcc needs none, and test/native/simt runs the same source on the CPU.

#include <cstdint>

namespace spct {

constexpr int warp_size = 32;
constexpr unsigned whole_warp = 0xffffffffu;

template <class T>
__device__ T warp_sum(T value) {
  for (int offset = warp_size / 2; offset > 0; offset /= 2) value += __shfl_xor_sync(whole_warp, value, offset);
  return value;
}

template <class T>
__device__ T warp_max(T value) {
  for (int offset = warp_size / 2; offset > 0; offset /= 2) {
    const T other = __shfl_xor_sync(whole_warp, value, offset);
    value = other > value ? other : value;
  }
  return value;
}

// The sum over this lane and those before it.
template <class T>
__device__ T warp_inclusive_sum(T value) {
  const int lane = threadIdx.x % warp_size;
  for (int offset = 1; offset < warp_size; offset *= 2) {
    const T other = __shfl_up_sync(whole_warp, value, offset);
    if (lane >= offset) value += other;
  }
  return value;
}

// shared: [count * threads / warp_size]. Adds up each of the values over the block.
template <int threads, int count, class T>
__device__ void block_sum(T (&values)[count], T* shared) {
  constexpr int warps = threads / warp_size;
  const int lane = threadIdx.x % warp_size;
  const int warp = threadIdx.x / warp_size;
  for (int i = 0; i < count; ++i) {
    values[i] = warp_sum(values[i]);
    if (lane == 0) shared[i * warps + warp] = values[i];
  }
  __syncthreads();
  for (int i = 0; i < count; ++i) values[i] = warp_sum(lane < warps ? shared[i * warps + lane] : T{0});
  __syncthreads();  // shared may be written again
}

// shared: [threads / warp_size]. T is unsigned.
template <int threads, class T>
__device__ T block_max(T value, T* shared) {
  constexpr int warps = threads / warp_size;
  const int lane = threadIdx.x % warp_size;
  value = warp_max(value);
  if (lane == 0) shared[threadIdx.x / warp_size] = value;
  __syncthreads();
  value = warp_max(lane < warps ? shared[lane] : T{0});
  __syncthreads();
  return value;
}

}  // namespace spct
