#include "accel/accel_device.h"

#include <ggml-backend-impl.h>
#include <ggml-backend.h>
#include <ggml-impl.h>
#include <ggml.h>

#include <atomic>
#include <cstring>
#include <exception>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <unordered_map>

#include "accel/packed_matrix.h"
#include "accel/packed_weights.h"
#include "accel/shared_attention.h"

namespace spct {

namespace {

const char* name = "oneDNN";

struct Claimed {
  std::shared_ptr<const PackedMatrix> packed;
  int64_t least_rows;
};

// The claims of all models of the process.
class Claims {
 public:
  void add(const ggml_tensor* weight, Claimed claimed) {
    const std::unique_lock<std::shared_mutex> lock(mutex_);
    claims_.emplace(weight, std::move(claimed));
    count_ = claims_.size();
  }
  void remove(const ggml_tensor* weight) {
    const std::unique_lock<std::shared_mutex> lock(mutex_);
    claims_.erase(weight);
    count_ = claims_.size();
  }
  Claimed find(const ggml_tensor* weight) const {
    if (count_ == 0) return {};
    const std::shared_lock<std::shared_mutex> lock(mutex_);
    const auto found = claims_.find(weight);
    return found == claims_.end() ? Claimed{} : found->second;
  }

 private:
  mutable std::shared_mutex mutex_;
  std::unordered_map<const ggml_tensor*, Claimed> claims_;
  std::atomic<size_t> count_{0};
};

Claims& claims() {
  static Claims claims;
  return claims;
}

bool takes_no_work(const ggml_tensor* node) {
  switch (node->op) {
    case GGML_OP_NONE:
    case GGML_OP_RESHAPE:
    case GGML_OP_VIEW:
    case GGML_OP_PERMUTE:
    case GGML_OP_TRANSPOSE: return true;
    default: return false;
  }
}

int64_t count_rows(const ggml_tensor* product) { return ggml_nrows(product->src[1]); }

// Parameters: the least precision of the sums, a hint, and the least precision that the rows may be rounded to.
bool takes_product(const ggml_tensor* node) {
  if (node->op != GGML_OP_MUL_MAT) return false;
  const Claimed claimed = claims().find(node->src[0]);
  return claimed.packed && count_rows(node) >= claimed.least_rows && node->src[1]->type == GGML_TYPE_F32 &&
         ggml_is_contiguous(node->src[1]) && ggml_is_contiguous(node) &&
         ggml_get_op_params_i32(node, 0) == GGML_PREC_DEFAULT && ggml_get_op_params_i32(node, 1) == 0 &&
         ggml_get_op_params_i32(node, 3) == GGML_PREC_DEFAULT;
}

// The product that an attention's queries come from, through a bias, a norm, the rotation and views.
const ggml_tensor* product_of_queries(const ggml_tensor* attention) {
  constexpr int farthest = 16;
  const ggml_tensor* node = attention->src[0];
  for (int step = 0; step < farthest && node != nullptr; ++step, node = node->src[0]) {
    if (node->op == GGML_OP_MUL_MAT) return node;
  }
  return nullptr;
}

// Of models with packed weights, like all else here.
bool takes_attention(const ggml_tensor* node) {
  if (!SharedAttention::accepts(node)) return false;
  const ggml_tensor* queries = product_of_queries(node);
  return queries != nullptr && takes_product(queries);
}

// Each context has its own, which its thread uses.
struct Work {
  PackedProduct product;
  SharedAttention attention;
};

Work& work_of(ggml_backend_t backend) { return *static_cast<Work*>(backend->context); }

ggml_status compute(ggml_backend_t backend, ggml_cgraph* graph) {
  Work& work = work_of(backend);
  const ggml_tensor* rounded = nullptr;  // query, key and value are products of the same rows
  for (int i = 0; i < graph->n_nodes; ++i) {
    const ggml_tensor* node = graph->nodes[i];
    if (takes_no_work(node) || (node->flags & GGML_TENSOR_FLAG_COMPUTE) == 0) continue;
    try {
      if (node->op == GGML_OP_FLASH_ATTN_EXT) {
        work.attention.run(node);
        rounded = nullptr;
        continue;
      }
      const Claimed claimed = claims().find(node->src[0]);
      if (!claimed.packed) return GGML_STATUS_FAILED;
      const ggml_tensor* values = node->src[1];
      work.product.run(*claimed.packed, static_cast<const float*>(values->data), count_rows(node),
                       static_cast<float*>(node->data), values == rounded);
      rounded = values;
    } catch (const std::exception& error) {
      GGML_LOG_ERROR("%s: %s failed: %s\n", name, node->name, error.what());
      return GGML_STATUS_FAILED;
    }
  }
  return GGML_STATUS_SUCCESS;
}

ggml_guid_t guid() {
  static ggml_guid guid = {0x73, 0x70, 0x63, 0x74, 0x2d, 0x67, 0x65, 0x6d,
                           0x6d, 0x9a, 0x41, 0x0e, 0xc2, 0x5d, 0x88, 0x17};
  return &guid;
}

void set_threads(ggml_backend_t backend, int threads) {
  work_of(backend).product.set_threads(threads);
  work_of(backend).attention.set_threads(threads);
}

ggml_backend_t init_backend(ggml_backend_dev_t device, const char*) {
  ggml_backend_i functions = {};
  functions.get_name = [](ggml_backend_t) { return name; };
  functions.free = [](ggml_backend_t backend) {
    delete &work_of(backend);
    delete backend;
  };
  functions.graph_compute = compute;
  return new ggml_backend{guid(), functions, device, new Work};
}

void get_memory(ggml_backend_dev_t, size_t* free, size_t* total) { *free = *total = 0; }

const char* description(ggml_backend_dev_t) {
  static const std::string text = gemm_support().description;
  return text.c_str();
}

void get_properties(ggml_backend_dev_t device, ggml_backend_dev_props* properties) {
  *properties = {};
  properties->name = name;
  properties->description = description(device);
  properties->type = GGML_BACKEND_DEVICE_TYPE_ACCEL;
  properties->caps.buffer_from_host_ptr = true;
  properties->caps.mmap_support = true;
}

ggml_backend_dev_t device(ggml_backend_reg_t reg, size_t) {
  static ggml_backend_device device = [reg] {
    ggml_backend_device made = {};
    made.iface.get_name = [](ggml_backend_dev_t) { return name; };
    made.iface.get_description = description;
    made.iface.get_memory = get_memory;
    made.iface.get_type = [](ggml_backend_dev_t) { return GGML_BACKEND_DEVICE_TYPE_ACCEL; };
    made.iface.get_props = get_properties;
    made.iface.init_backend = init_backend;
    made.iface.get_buffer_type = [](ggml_backend_dev_t) { return ggml_backend_cpu_buffer_type(); };
    made.iface.buffer_from_host_ptr = [](ggml_backend_dev_t, void* data, size_t size, size_t) {
      return ggml_backend_cpu_buffer_from_ptr(data, size);
    };
    made.iface.supports_op = [](ggml_backend_dev_t, const ggml_tensor* node) {
      return takes_no_work(node) || takes_product(node) || takes_attention(node);
    };
    made.iface.supports_buft = [](ggml_backend_dev_t, ggml_backend_buffer_type_t type) {
      return ggml_backend_buft_is_host(type);
    };
    made.reg = reg;
    return made;
  }();
  return &device;
}

void* function(ggml_backend_reg_t, const char* wanted) {
  if (std::strcmp(wanted, "ggml_backend_set_n_threads") != 0) return nullptr;
  return reinterpret_cast<void*>(set_threads);
}

}  // namespace

void register_accel_device() {
  if (!gemm_support().available) return;
  static ggml_backend_reg reg = [] {
    ggml_backend_reg made = {};
    made.api_version = GGML_BACKEND_API_VERSION;
    made.iface.get_name = [](ggml_backend_reg_t) { return name; };
    made.iface.get_device_count = [](ggml_backend_reg_t) { return size_t{1}; };
    made.iface.get_device = device;
    made.iface.get_proc_address = function;
    return made;
  }();
  static std::once_flag once;
  std::call_once(once, [] { ggml_backend_register(&reg); });
}

GemmClaim::GemmClaim(const ggml_tensor* weight, std::unique_ptr<PackedMatrix> packed, int64_t least_rows)
    : weight_(weight) {
  claims().add(weight, {std::move(packed), least_rows});
}

GemmClaim::~GemmClaim() { claims().remove(weight_); }

}  // namespace spct
