#pragma once

// Marks what the CPU and the CUDA kernels both compile, so that a number has one definition.
#ifdef __CUDACC__
#define SPCT_DEVICE __host__ __device__ __forceinline__
#else
#define SPCT_DEVICE inline
#endif
