#pragma once

#include <cmath>
#include <cstdint>

#include "scoring/device.h"

namespace spct {

enum class Activation : uint8_t { none, sigmoid, tanh };

SPCT_DEVICE float activate(Activation activation, float value) {
  switch (activation) {
    case Activation::sigmoid:
      // The exponent is never above 0, so nothing overflows.
      return value >= 0.0f ? 1.0f / (1.0f + expf(-value)) : expf(value) / (1.0f + expf(value));
    case Activation::tanh: return tanhf(value);
    case Activation::none: break;
  }
  return value;
}

}  // namespace spct
