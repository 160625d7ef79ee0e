#include "scoring/sampler_loops.h"

namespace spct {

extern const SamplerLoops sampler_loops_scalar;
extern const SamplerLoops sampler_loops_avx2;
extern const SamplerLoops sampler_loops_avx512;
extern const SamplerLoops sampler_loops_neon;

std::vector<const SamplerLoops*> available_sampler_loops() {
  std::vector<const SamplerLoops*> available = {&sampler_loops_scalar};
#if defined(SPCT_X86_VARIANTS)
  if (__builtin_cpu_supports("avx2")) available.push_back(&sampler_loops_avx2);
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")) {
    available.push_back(&sampler_loops_avx512);
  }
#elif defined(SPCT_NEON_VARIANT)
  available.push_back(&sampler_loops_neon);
#endif
  return available;
}

const SamplerLoops& sampler_loops() {
  static const SamplerLoops& fastest = *available_sampler_loops().back();
  return fastest;
}

}  // namespace spct
