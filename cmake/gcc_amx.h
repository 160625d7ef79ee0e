// GCC's _tile_loadconfig (amxtileintrin.h, seen in 12.2) tells the compiler that ldtilecfg reads 8 bytes instead of 64,
// so the optimizer drops the stores to the rest and ldtilecfg faults. Included before ggml's AMX kernels.
#include <immintrin.h>

#if defined(__x86_64__) && defined(__AMX_TILE__)
#define _tile_loadconfig(config) \
  __asm__ volatile("ldtilecfg\t%0" ::"m"(*reinterpret_cast<const char(*)[64]>(static_cast<const void*>(config))))
#endif
