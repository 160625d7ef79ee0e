#pragma once

// Marks what the CPU and the CUDA kernels both compile, so that a number has one definition. Always inlined, so that
// no object built for a newer instruction set lends its copy to the others.
#if defined(__CUDACC__)
#define SPCT_DEVICE __host__ __device__ __forceinline__
#elif defined(_MSC_VER)
#define SPCT_DEVICE __forceinline
#else
#define SPCT_DEVICE inline __attribute__((always_inline))
#endif
