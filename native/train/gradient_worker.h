#pragma once

#include <functional>
#include <vector>

#include "train/forward.h"
#include "train/row_layout.h"
#include "train/sequence.h"

namespace spct {

// Replaces logits [rows, vocabulary], which predict `targets` [rows], by the gradient of a loss, and returns the loss.
using LogitsLoss = std::function<double(float* logits, const int32_t* targets, int64_t rows)>;
// Replaces final-norm states [positions, embedding] by the gradient of a loss.
using StatesGradient = std::function<void(float* states)>;

// Computes gradients for one share of a batch on its own backend, so that several workers can run side by side on
// threads that never wait for each other. Not thread-safe itself; the weights are only read.
class GradientWorker {
 public:
  GradientWorker(const ModelShape& shape, const Parameters& parameters, int threads);

  // Adds the gradient of a loss on the logits of the completion tokens, sequence after sequence, to the gradients and
  // returns the loss. Throws Error LOSS_NOT_FINITE when it is not finite.
  double accumulate(const std::vector<const Sequence*>& sequences, const LogitsLoss& logits_loss);

  // The same for a loss on the final-norm state of one position in each sequence.
  void accumulate_states(const std::vector<const Sequence*>& sequences, const std::vector<int32_t>& positions,
                         const StatesGradient& states_gradient);

  // Adds scale * d(sum of completion NLL)/d(weights) to the gradients. Returns the unscaled sum of the NLL.
  double accumulate_nll(const std::vector<const Sequence*>& sequences, float scale);

  // The sum alone.
  double completion_nll(const std::vector<const Sequence*>& sequences);

  // Final-norm states [positions, embedding] of one position in each sequence.
  std::vector<float> hidden_states(const std::vector<const Sequence*>& sequences,
                                   const std::vector<int32_t>& positions);

  // Logits [completion positions, vocabulary] that predict each completion token, sequence after sequence.
  std::vector<float> completion_logits(const std::vector<const Sequence*>& sequences);

  // Tokens of the completions, in the order of their logits.
  static std::vector<int32_t> completion_tokens(const std::vector<const Sequence*>& sequences);

  void clear_gradients();
  const std::vector<ggml_tensor*>& gradients() const { return gradients_; }
  ggml_backend_t backend() const { return backend_.get(); }

 private:
  struct Inputs;

  // `loss` replaces the logits, or else the states, of the output positions by its gradient.
  double accumulate_outputs(const std::vector<const Sequence*>& sequences, const RowLayout& layout,
                            std::vector<int32_t> positions, bool with_logits,
                            const std::function<double(float* outputs)>& loss);
  void run(ggml_cgraph* graph, int begin, int end);
  void upload(const ForwardGraph& forward, const Inputs& inputs);

  ModelShape shape_;
  const Parameters& parameters_;
  GgmlBackend backend_;
  GgmlContext gradient_context_;
  GgmlBuffer gradient_buffer_;
  GgmlAllocator allocator_;
  std::vector<ggml_tensor*> gradients_;  // in the order of Parameters::all()
  std::vector<uint8_t> graph_memory_;
  std::vector<float> outputs_;  // logits or states, then their gradients
};

}  // namespace spct
