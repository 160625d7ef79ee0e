#pragma once

#include <memory>

#include "accel/gemm.h"

namespace spct {

struct GemmKernel;

// Products in F32 on vector instructions, of rows as they are. A row's result depends neither on the other rows nor on
// the number of threads.
std::unique_ptr<Gemm> vector_gemm(const GemmKernel& kernel);

}  // namespace spct
