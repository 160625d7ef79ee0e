#include "scoring/sampler_loops.h"

namespace spct {

std::vector<const SamplerLoops*> available_sampler_loops() { return {&sampler_loops_scalar}; }

const SamplerLoops& sampler_loops() {
  static const SamplerLoops& fastest = *available_sampler_loops().back();
  return fastest;
}

}  // namespace spct
