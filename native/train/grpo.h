#pragma once

#include <cstdint>
#include <vector>

namespace spct {

// How the losses L of a batch's tokens (mask m, B sequences) become one number:
//   grpo     mean over the sequences of sum(L m) / sum(m)
//   bnpo     sum(L m) / sum(m) over the batch
//   dr_grpo  sum(L m) / (B * max_completion_tokens)
//   dapo     sum(L m) / total_tokens, the completion tokens of all batches that make one update
enum class GrpoNormalization { grpo, bnpo, dr_grpo, dapo };

// The defaults are the paper's where it gives them (its clip range is not given).
struct GrpoOptions {
  double beta = 0.08;         // weight of the KL penalty; at 0 no reference is needed
  double epsilon_low = 0.2;   // the ratio is clipped to [1 - epsilon_low, 1 + epsilon_high]
  double epsilon_high = 0.2;  // of the paper's algorithm: equal to epsilon_low
  GrpoNormalization normalization = GrpoNormalization::grpo;
  double temperature = 1.0;           // of the sampling: the policy's logits are divided by it
  int64_t max_completion_tokens = 0;  // needed by dr_grpo
  int64_t total_tokens = 0;           // for dapo; 0: the tokens of this batch alone
};

// Throws Error INVALID_ARGUMENT for an option out of range.
void check_grpo_options(const GrpoOptions& options);

// What the loss of one token needs besides the policy's log-probability of it; log-probabilities are natural.
struct PolicyToken {
  double old = 0;  // by the policy that sampled it
  double reference = 0;
  double advantage = 0;
  double scale = 1;        // what its loss is multiplied by; 0: it does not count
  bool on_policy = false;  // the policy that sampled it is this one, whatever `old` is
};

// One token's loss -min(r A, clip(r) A) + beta k3 with r = exp(policy - old), k3 = exp(d) - d - 1, d = reference -
// policy (DeepSeekMath, Eq. 3 and 4), and its derivative by the policy's log-probability.
struct GrpoTokenLoss {
  double loss = 0;
  double gradient = 0;
  double kl = 0;
  bool clipped = false;  // the ratio no longer moves the loss
};
// Unscaled; `policy` is a natural log-probability. Throws Error LOSS_NOT_FINITE when the loss is not.
GrpoTokenLoss grpo_token_loss(double policy, const PolicyToken& token, const GrpoOptions& options);

// What each sequence's token losses are multiplied by; `tokens` [B] counts the tokens that its mask lets in. A sequence
// without any, and a batch without any, get 0.
std::vector<double> grpo_scales(const std::vector<int64_t>& tokens, const GrpoOptions& options);

// log softmax(logits / temperature)[target] for rows [rows, vocabulary], in double; `entropies` (or null) receives the
// entropy of each row's distribution in nats. Throws Error LOSS_NOT_FINITE for a logit that is NaN or infinite.
void token_log_probabilities_cpu(const float* logits, const int32_t* targets, int64_t rows, int64_t vocabulary,
                                 double temperature, double* log_probabilities, double* entropies);

// Turns logits [rows, vocabulary] into d(loss)/d(logits), given d(loss)/d(log-probability of the target) of each row.
void policy_gradient_cpu(float* logits, const int32_t* targets, const double* gradients, int64_t rows,
                         int64_t vocabulary, double temperature);

// Turns logits [rows, vocabulary] into the gradient of the sum of scale * grpo_token_loss over the rows. Also writes
// the log-probability of each target and the entropy of each row, as token_log_probabilities_cpu. Throws Error
// LOSS_NOT_FINITE.
void policy_loss_cpu(float* logits, const int32_t* targets, const PolicyToken* tokens, int64_t rows, int64_t vocabulary,
                     const GrpoOptions& options, double* log_probabilities, double* entropies);

}  // namespace spct
