#pragma once

#include <cstdint>

namespace spct {

constexpr int32_t sampler_block = 256;  // logits per entry of a block array

}  // namespace spct
