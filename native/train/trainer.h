#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "train/gradient_worker.h"
#include "train/grpo.h"
#include "train/model_file.h"
#include "train/optimizer.h"
#include "train/parameters.h"
#include "train/reward_head.h"
#include "train/sequence.h"

namespace spct {

struct TrainerOptions {
  TrainingDevice device = TrainingDevice::cpu;
  int threads = 1;                    // of the CPU; a GPU has one worker
  int64_t micro_batch_tokens = 2048;  // padded tokens that one worker holds activations for
  AdamWOptions optimizer;
  std::optional<LoraOptions> lora;  // trains adapters and leaves the model as it is
};

struct StepResult {
  double loss = 0;  // mean NLL of a completion token, in nats
  double gradient_norm = 0;
  int64_t tokens = 0;  // prompt and completion
  int64_t completion_tokens = 0;
};

// What the policy loss needs of a sampled completion besides its tokens.
struct Rollout {
  std::vector<float> old_log_probabilities;        // of its tokens, by the policy that sampled them; none: this one
  std::vector<float> reference_log_probabilities;  // by the frozen reference; may be empty when beta is 0
  std::vector<uint8_t> mask;                       // whether a token counts
  double advantage = 0;
};

// Means are over the tokens that count.
struct PolicyStepResult {
  double loss = 0;
  double kl = 0;       // k3 estimate of KL(policy || reference), nats
  double entropy = 0;  // of the policy's distributions, nats
  double clipped = 0;  // share
  double gradient_norm = 0;
  int64_t tokens = 0;  // prompt and completion
  int64_t completion_tokens = 0;
};

enum class RewardLoss : uint8_t {
  bce,            // binary cross-entropy of each reward's sigmoid with a label (section 3.3 of the paper)
  bradley_terry,  // -log sigmoid(chosen - rejected) of sequences that come in pairs
};

struct RewardBatch {
  std::vector<Sequence> sequences;
  std::vector<int32_t> positions;  // where each sequence's state is read; empty: at its last token
  std::vector<float> labels;       // 0 or 1 for each sequence; empty for Bradley-Terry
};

struct RewardStepResult {
  double loss = 0;      // mean over sequences or pairs, nats
  double accuracy = 0;  // share with the reward on the right side of 0, or the chosen above the rejected
  double gradient_norm = 0;
  int64_t tokens = 0;
};

// Trains all weights of one model, or adapters beside them. Calls must not overlap. A batch is shared among one worker
// per thread in a fixed way and their gradients are summed in a fixed order, so equal inputs give equal weights, bit by
// bit.
class Trainer {
 public:
  // A new model with the vocabulary of the GGUF file at `vocabulary_path`.
  static std::unique_ptr<Trainer> create(const std::string& vocabulary_path, ModelShape shape, uint64_t seed,
                                         const std::vector<int32_t>& token_groups, const TrainerOptions& options);
  // A model or a checkpoint to go on from. Adapters go on from their own file, which `options.lora` names.
  static std::unique_ptr<Trainer> open(const std::string& path, const TrainerOptions& options);

  StepResult step(const std::vector<Sequence>& sequences, float learning_rate);
  // One update by the GRPO loss of completions and what they were worth, one rollout for each sequence. All values are
  // those before the update. Throws Error INVALID_ARGUMENT, or LOSS_NOT_FINITE with the weights as they were.
  PolicyStepResult policy_step(const std::vector<Sequence>& sequences, const std::vector<Rollout>& rollouts,
                               const GrpoOptions& options, float learning_rate);
  // Log-probabilities of the completion tokens under softmax(logits / temperature), sequence after sequence.
  std::vector<float> log_probabilities(const std::vector<Sequence>& sequences, double temperature);
  // One update of all weights and of the reward head (zero before the first one). Values are those before the update.
  // Throws Error INVALID_ARGUMENT, or LOSS_NOT_FINITE with the weights as they were.
  RewardStepResult reward_step(const RewardBatch& batch, RewardLoss loss, float learning_rate);
  // The head's value for each sequence. This and the next throw Error NO_HEAD if none has been trained.
  std::vector<float> rewards(const RewardBatch& batch);
  const RewardHead& reward_head() const;
  // The loss without an update; `gradient_norm` stays 0.
  StepResult evaluate(const std::vector<Sequence>& sequences);
  // Final-norm states [sequences, embedding] at one position of each sequence.
  std::vector<float> hidden_states(const std::vector<Sequence>& sequences, const std::vector<int32_t>& positions);

  // The model, or its adapters alone.
  void save(const std::string& path, ggml_type matrix_type) const;
  // The model with its adapters added to its matrices.
  void save_merged(const std::string& path, ggml_type matrix_type) const;
  void save_checkpoint(const std::string& path, const std::string& note) const;

  const ModelShape& shape() const { return shape_; }
  const Parameters& parameters() const { return *parameters_; }
  const char* device_name() const { return ggml_backend_name(backend_.get()); }
  int64_t steps_done() const { return step_; }
  const std::string& note() const { return note_; }
  // A text of the GGUF metadata, and the text of the token whose id a key holds; none if the key is missing.
  std::optional<std::string> metadata_text(const char* key) const;
  std::optional<std::string> token_text(const char* id_key) const;

 private:
  Trainer(ModelFile file, const ModelShape& shape, const TrainerOptions& options);
  void restore(const ModelFile& file);  // the position and the reward head of a checkpoint

  using Share = std::vector<std::vector<size_t>>;  // micro-batches of one worker
  std::vector<Share> divide(const std::vector<Sequence>& sequences) const;
  void check(const std::vector<Sequence>& sequences) const;
  // Runs `accumulate(worker, micro-batch)` for the whole batch; a failure leaves no gradients behind.
  void accumulate(const std::vector<Sequence>& sequences,
                  const std::function<void(size_t, const std::vector<size_t>&)>& accumulate_part);
  // Returns the gradient's norm; `other_squares` as for adamw_step.
  double update(float learning_rate, double other_squares = 0);
  std::vector<double> head_rewards(const RewardBatch& batch);

  ModelFile file_;
  ModelShape shape_;
  TrainerOptions options_;
  GgmlBackend backend_;
  std::unique_ptr<Parameters> parameters_;
  std::vector<std::unique_ptr<GradientWorker>> workers_;
  std::optional<RewardHead> reward_head_;  // once a reward step was taken
  int64_t step_ = 0;
  std::string note_;
};

}  // namespace spct
