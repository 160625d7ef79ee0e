#include "train/training_device.h"

#include <ggml-cpu.h>

#include <string>

#include "error.h"

namespace spct {

GgmlBackend make_backend(TrainingDevice device, int threads) {
  if (device == TrainingDevice::cpu) {
    GgmlBackend backend(ggml_backend_cpu_init());
    if (!backend) throw Error("OUT_OF_MEMORY", "The CPU backend could not be created");
    ggml_backend_cpu_set_n_threads(backend.get(), threads);
    return backend;
  }
  ggml_backend_dev_t gpu = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_GPU);
  if (gpu == nullptr) {
    throw Error("NO_GPU",
                "There is no GPU to train on: this build has none of ggml's GPU backends (build with --cuda), or "
                "the machine has no GPU that they can use");
  }
  GgmlBackend backend(ggml_backend_dev_init(gpu, nullptr));
  if (!backend) {
    throw Error("OUT_OF_MEMORY", std::string("The GPU ") + ggml_backend_dev_name(gpu) + " could not be opened");
  }
  return backend;
}

void check_operations(ggml_backend_t backend, ggml_cgraph* graph) {
  for (int i = 0; i < ggml_graph_n_nodes(graph); ++i) {
    const ggml_tensor* node = ggml_graph_node(graph, i);
    if (ggml_backend_supports_op(backend, node)) continue;
    throw Error("UNSUPPORTED_MODEL", std::string("The backend ") + ggml_backend_name(backend) +
                                         " cannot train this model: it lacks " + ggml_op_desc(node));
  }
}

bool passes_gradients(ggml_backend_t backend, ggml_type type) {
  if (ggml_backend_is_cpu(backend)) return true;  // accelerate_outer_products takes every type
  const GgmlContext context(ggml_init({4 * ggml_tensor_overhead(), nullptr, true}));
  const int64_t columns = ggml_blck_size(type);
  ggml_tensor* matrix = ggml_new_tensor_2d(context.get(), type, columns, 1);
  ggml_tensor* gradient = ggml_new_tensor_2d(context.get(), GGML_TYPE_F32, 1, 1);
  return ggml_backend_supports_op(backend, ggml_out_prod(context.get(), matrix, gradient));
}

}  // namespace spct
