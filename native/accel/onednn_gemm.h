#pragma once

#include <memory>

#include "accel/gemm.h"

namespace spct {

// Products on oneDNN, with the CPU's own products of bfloat16; null where it has none.
std::unique_ptr<Gemm> onednn_gemm();

}  // namespace spct
