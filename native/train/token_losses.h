#pragma once

#include <ggml-backend.h>

#include <memory>
#include <vector>

#include "train/grpo.h"

namespace spct {

// What the model gave to each target; the entropies are those of the rows, in nats.
struct TokenProbabilities {
  std::vector<double> log_probabilities;
  std::vector<double> entropies;
};

// The losses on a micro-batch's logits [vocabulary, rows], computed where the logits are: by CUDA kernels, or on the
// host with a copy. `gradient` has the shape of the logits. For one thread at a time.
class TokenLosses {
 public:
  virtual ~TokenLosses() = default;

  // Writes the gradient of scale * NLL, unless it is null, and returns the unscaled sum, which is not finite when a
  // logit is not.
  virtual double nll(const ggml_tensor* logits, const std::vector<int32_t>& targets, float scale,
                     ggml_tensor* gradient) = 0;
  // Writes the gradient of the policy loss of one token in each row. Throws Error LOSS_NOT_FINITE.
  virtual TokenProbabilities policy(const ggml_tensor* logits, const std::vector<int32_t>& targets,
                                    const std::vector<PolicyToken>& tokens, const GrpoOptions& options,
                                    ggml_tensor* gradient) = 0;
  // Under softmax(logits / temperature). Throws Error LOSS_NOT_FINITE.
  virtual std::vector<double> log_probabilities(const ggml_tensor* logits, const std::vector<int32_t>& targets,
                                                double temperature) = 0;
};

std::unique_ptr<TokenLosses> make_token_losses(ggml_backend_t backend);

}  // namespace spct
