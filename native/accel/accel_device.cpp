#include "accel/accel_device.h"

#include <ggml-backend-impl.h>
#include <ggml-backend.h>
#include <ggml-impl.h>
#include <ggml.h>

#include <atomic>
#include <cstring>
#include <exception>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <unordered_map>

#include "accel/attention_kernel.h"
#include "accel/attention_sharing.h"
#include "accel/gemm.h"
#include "accel/packed_weights.h"
#include "accel/shared_attention.h"

namespace spct {

namespace {

const char* name = "spct";

// Of all models of the process, by their weights.
template <class Claim>
class Claims {
 public:
  void add(const ggml_tensor* weight, Claim claim) {
    const std::unique_lock<std::shared_mutex> lock(mutex_);
    claims_.emplace(weight, std::move(claim));
    count_ = claims_.size();
  }
  void remove(const ggml_tensor* weight) {
    const std::unique_lock<std::shared_mutex> lock(mutex_);
    claims_.erase(weight);
    count_ = claims_.size();
  }
  // A claim without rows where there is none.
  Claim find(const ggml_tensor* weight) const {
    if (count_ == 0) return {};
    const std::shared_lock<std::shared_mutex> lock(mutex_);
    const auto found = claims_.find(weight);
    return found == claims_.end() ? Claim{} : found->second;
  }

 private:
  mutable std::shared_mutex mutex_;
  std::unordered_map<const ggml_tensor*, Claim> claims_;
  std::atomic<size_t> count_{0};
};

struct ProductClaim {
  const Gemm* gemm = nullptr;
  std::shared_ptr<const PackedMatrix> packed;
  int64_t least_rows = 0;
};

struct AttentionClaim {
  int64_t least_rows = 0;
};

Claims<ProductClaim>& product_claims() {
  static Claims<ProductClaim> claims;
  return claims;
}

Claims<AttentionClaim>& attention_claims() {
  static Claims<AttentionClaim> claims;
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
  const ProductClaim claimed = product_claims().find(node->src[0]);
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

bool takes_attention(const ggml_tensor* node) {
  if (!SharedAttention::accepts(node)) return false;
  const ggml_tensor* queries = product_of_queries(node);
  if (queries == nullptr) return false;
  const int64_t least_rows = attention_claims().find(queries->src[0]).least_rows;
  return least_rows > 0 && count_rows(queries) >= least_rows;
}

// Each context has its own, which its thread uses.
class Work {
 public:
  Work() {
    if (const AttentionKernel* kernel = attention_kernel()) attention_.emplace(*kernel);
  }

  void set_threads(int threads) {
    threads_ = threads;
    if (product_) product_->set_threads(threads);
    if (attention_) attention_->set_threads(threads);
  }

  // All weights of a model are packed for one.
  PackedProduct& product_of(const Gemm* gemm) {
    if (gemm_ != gemm) {
      product_ = gemm->new_product();
      product_->set_threads(threads_);
      gemm_ = gemm;
    }
    return *product_;
  }

  SharedAttention* attention() { return attention_ ? &*attention_ : nullptr; }

 private:
  int threads_ = 1;
  const Gemm* gemm_ = nullptr;
  std::unique_ptr<PackedProduct> product_;
  std::optional<SharedAttention> attention_;
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
        if (work.attention() == nullptr) return GGML_STATUS_FAILED;
        work.attention()->run(node);
        rounded = nullptr;
        continue;
      }
      const ProductClaim claimed = product_claims().find(node->src[0]);
      if (!claimed.packed) return GGML_STATUS_FAILED;
      const ggml_tensor* values = node->src[1];
      work.product_of(claimed.gemm)
          .run(*claimed.packed, static_cast<const float*>(values->data), count_rows(node),
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

void set_threads(ggml_backend_t backend, int threads) { work_of(backend).set_threads(threads); }

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
  static const std::string text = [] {
    const std::string attention = attention_sharing_support();
    const GemmSupport gemm = gemm_support();
    if (attention.empty()) return "products on " + gemm.description;
    return "attention over shared cells on " + attention +
           (gemm.available ? ", products on " + gemm.description : std::string());
  }();
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

bool accel_device_disturbs() {
  int gpus = 0;
  for (size_t i = 0; i < ggml_backend_dev_count(); ++i) {
    if (ggml_backend_dev_type(ggml_backend_dev_get(i)) == GGML_BACKEND_DEVICE_TYPE_GPU) ++gpus;
  }
  return gpus > 1;
}

void register_accel_device() {
  if (!gemm_support().available && attention_sharing_support().empty()) return;
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

GemmClaim::GemmClaim(const ggml_tensor* weight, const Gemm& gemm, std::unique_ptr<PackedMatrix> packed,
                     int64_t least_rows)
    : weight_(weight) {
  product_claims().add(weight, {&gemm, std::move(packed), least_rows});
}

GemmClaim::~GemmClaim() { product_claims().remove(weight_); }

std::string attention_sharing_support() {
  const AttentionKernel* kernel = attention_kernel();
  return kernel == nullptr || accel_device_disturbs() ? std::string() : kernel->name;
}

AttentionSharing::AttentionSharing(std::vector<const ggml_tensor*> weights, int64_t least_rows)
    : weights_(std::move(weights)) {
  for (const ggml_tensor* weight : weights_) attention_claims().add(weight, {least_rows});
}

AttentionSharing::~AttentionSharing() {
  for (const ggml_tensor* weight : weights_) attention_claims().remove(weight);
}

}  // namespace spct
