#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "train/forward.h"
#include "train/row_layout.h"
#include "train/sequence.h"
#include "train/token_losses.h"
#include "train/training_device.h"

namespace spct {

// Replaces final-norm states [positions, embedding] by the gradient of a loss.
using StatesGradient = std::function<void(float* states)>;

// Computes gradients for one share of a batch on its own backend, so that several workers can run side by side on
// threads that never wait for each other. Not thread-safe itself; the weights are only read.
class GradientWorker {
 public:
  // The parameters lie on the same device.
  GradientWorker(const ModelShape& shape, const Parameters& parameters, int threads,
                 TrainingDevice device = TrainingDevice::cpu);

  // Adds scale * d(sum of completion NLL)/d(weights) to the gradients. Returns the unscaled sum of the NLL. Throws
  // Error LOSS_NOT_FINITE.
  double accumulate_nll(const std::vector<const Sequence*>& sequences, float scale);

  // The same for the policy loss of the completion tokens, sequence after sequence. Returns what the model gave them.
  TokenProbabilities accumulate_policy(const std::vector<const Sequence*>& sequences,
                                       const std::vector<PolicyToken>& tokens, const GrpoOptions& options);

  // The same for a loss on the final-norm state of one position in each sequence.
  void accumulate_states(const std::vector<const Sequence*>& sequences, const std::vector<int32_t>& positions,
                         const StatesGradient& states_gradient);

  // The sum of completion NLL alone.
  double completion_nll(const std::vector<const Sequence*>& sequences);

  // Log-probabilities of the completion tokens under softmax(logits / temperature), sequence after sequence.
  std::vector<double> completion_log_probabilities(const std::vector<const Sequence*>& sequences, double temperature);

  // Final-norm states [positions, embedding] of one position in each sequence.
  std::vector<float> hidden_states(const std::vector<const Sequence*>& sequences,
                                   const std::vector<int32_t>& positions);

  // Tokens of the completions, in the order of their log-probabilities.
  static std::vector<int32_t> completion_tokens(const std::vector<const Sequence*>& sequences);

  void clear_gradients();
  const std::vector<ggml_tensor*>& gradients() const { return gradients_; }
  ggml_backend_t backend() const { return backend_.get(); }

 private:
  struct Inputs;

  // Computes the logits, or else the states, of the output positions and hands them to `use`.
  void forward(const std::vector<const Sequence*>& sequences, const RowLayout& layout, std::vector<int32_t> positions,
               bool with_logits, const std::function<void(ggml_tensor* outputs)>& use);
  // The same for completions' logits.
  void forward_completions(const std::vector<const Sequence*>& sequences,
                           const std::function<void(ggml_tensor* logits)>& use);
  // As forward, then backward from the gradient of the outputs that `loss` writes.
  void accumulate_outputs(const std::vector<const Sequence*>& sequences, const RowLayout& layout,
                          std::vector<int32_t> positions, bool with_logits,
                          const std::function<void(ggml_tensor* outputs, ggml_tensor* gradient)>& loss);
  void allocate(ggml_cgraph* graph);
  void run(ggml_cgraph* graph, int begin, int end);
  void upload(const ForwardGraph& forward, const Inputs& inputs);

  ModelShape shape_;
  const Parameters& parameters_;
  GgmlBackend backend_;
  std::unique_ptr<TokenLosses> losses_;
  GgmlContext gradient_context_;
  GgmlBuffer gradient_buffer_;
  GgmlAllocator allocator_;
  std::vector<ggml_tensor*> gradients_;  // in the order of Parameters::all()
  std::vector<uint8_t> graph_memory_;
};

}  // namespace spct
