#pragma once

namespace spct {

// What the kernel of the token losses gives back for a row; NaN when one of its logits is no finite number.
struct DeviceTokenProbability {
  double log_probability;  // of the target, natural
  double entropy;          // nats
};

}  // namespace spct
