#include "train/token_losses.h"

#include <cstdlib>
#include <string>

#include "cuda/losses_cuda.h"
#include "train/losses.h"

namespace spct {
namespace {

class HostLosses : public TokenLosses {
 public:
  double nll(const ggml_tensor* logits, const std::vector<int32_t>& targets, float scale,
             ggml_tensor* gradient) override {
    fetch(logits);
    const double loss =
        nll_loss_cpu(values_.data(), targets.data(), logits->ne[1], logits->ne[0], scale, values_.data());
    if (gradient != nullptr) send(gradient);
    return loss;
  }

  TokenProbabilities policy(const ggml_tensor* logits, const std::vector<int32_t>& targets,
                            const std::vector<PolicyToken>& tokens, const GrpoOptions& options,
                            ggml_tensor* gradient) override {
    fetch(logits);
    TokenProbabilities found{std::vector<double>(targets.size()), std::vector<double>(targets.size())};
    policy_loss_cpu(values_.data(), targets.data(), tokens.data(), logits->ne[1], logits->ne[0], options,
                    found.log_probabilities.data(), found.entropies.data());
    send(gradient);
    return found;
  }

  std::vector<double> log_probabilities(const ggml_tensor* logits, const std::vector<int32_t>& targets,
                                        double temperature) override {
    fetch(logits);
    std::vector<double> found(targets.size());
    token_log_probabilities_cpu(values_.data(), targets.data(), logits->ne[1], logits->ne[0], temperature, found.data(),
                                nullptr);
    return found;
  }

 private:
  void fetch(const ggml_tensor* logits) {
    values_.resize(static_cast<size_t>(ggml_nelements(logits)));
    ggml_backend_tensor_get(logits, values_.data(), 0, values_.size() * sizeof(float));
  }

  void send(ggml_tensor* gradient) const {
    ggml_backend_tensor_set(gradient, values_.data(), 0, values_.size() * sizeof(float));
  }

  std::vector<float> values_;  // logits, then their gradient
};

// Tensors of ggml's CUDA backend hold pointers to the device's memory.
class CudaLosses : public TokenLosses {
 public:
  explicit CudaLosses(int device) : scratch_(device) {}

  double nll(const ggml_tensor* logits, const std::vector<int32_t>& targets, float scale,
             ggml_tensor* gradient) override {
    return nll_loss_cuda(data(logits), targets.data(), logits->ne[1], logits->ne[0], scale,
                         gradient != nullptr ? data(gradient) : nullptr, scratch_);
  }

  TokenProbabilities policy(const ggml_tensor* logits, const std::vector<int32_t>& targets,
                            const std::vector<PolicyToken>& tokens, const GrpoOptions& options,
                            ggml_tensor* gradient) override {
    TokenProbabilities found{std::vector<double>(targets.size()), std::vector<double>(targets.size())};
    policy_loss_cuda(data(logits), targets.data(), tokens.data(), logits->ne[1], logits->ne[0], options, data(gradient),
                     found.log_probabilities.data(), found.entropies.data(), scratch_);
    return found;
  }

  std::vector<double> log_probabilities(const ggml_tensor* logits, const std::vector<int32_t>& targets,
                                        double temperature) override {
    std::vector<double> found(targets.size());
    token_log_probabilities_cuda(data(logits), targets.data(), logits->ne[1], logits->ne[0], temperature, found.data(),
                                 scratch_);
    return found;
  }

 private:
  static float* data(const ggml_tensor* tensor) { return static_cast<float*>(tensor->data); }

  DeviceScratch scratch_;
};

}  // namespace

std::unique_ptr<TokenLosses> make_token_losses(ggml_backend_t backend) {
  ggml_backend_dev_t device = ggml_backend_get_device(backend);
  const std::string registry = ggml_backend_reg_name(ggml_backend_dev_backend_reg(device));
  if (registry != "CUDA" || cuda_device_count() == 0) return std::make_unique<HostLosses>();
  const std::string name = ggml_backend_dev_name(device);  // CUDA0, CUDA1, ...
  return std::make_unique<CudaLosses>(std::atoi(name.c_str() + registry.size()));
}

}  // namespace spct
