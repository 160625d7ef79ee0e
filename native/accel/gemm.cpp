#include "accel/gemm.h"

#include <ggml.h>

#include "accel/accel_device.h"
#include "accel/gemm_kernel.h"
#include "accel/packed_weights.h"
#include "accel/vector_gemm.h"
#ifdef SPCT_ONEDNN
#include "accel/onednn_gemm.h"
#endif

namespace spct {

extern const GemmKernel gemm_kernel_avx2;
extern const GemmKernel gemm_kernel_avx512;

std::vector<const GemmKernel*> available_gemm_kernels() {
  std::vector<const GemmKernel*> available;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) available.push_back(&gemm_kernel_avx2);
  if (__builtin_cpu_supports("avx512f")) available.push_back(&gemm_kernel_avx512);
  return available;
}

const Gemm* gemm() {
#ifdef SPCT_ONEDNN
  static const std::unique_ptr<Gemm> fastest = onednn_gemm();
  if (fastest) return fastest.get();
#endif
  return batch_invariant_gemm();
}

const Gemm* batch_invariant_gemm() {
  static const std::unique_ptr<Gemm> ours = [] {
    const auto kernels = available_gemm_kernels();
    return kernels.empty() ? nullptr : vector_gemm(*kernels.back());
  }();
  return ours.get();
}

GemmSupport gemm_support() {
  if (gemm() == nullptr) return {false, "needs a CPU with AVX2"};
  if (accel_device_disturbs()) return {false, gemm()->description() + ", but not beside several GPUs"};
  return {true, gemm()->description()};
}

bool can_pack(const ggml_tensor* weight) {
  const bool matrix = weight->ne[2] == 1 && weight->ne[3] == 1 && weight->ne[0] > 1 && weight->ne[1] > 1;
  const bool floats = weight->type == GGML_TYPE_F32 || ggml_get_type_traits(weight->type)->to_float != nullptr;
  return gemm_support().available && matrix && floats && ggml_is_contiguous(weight);
}

}  // namespace spct
