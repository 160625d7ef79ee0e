#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "accel/attention_sharing.h"
#include "accel/packed_weights.h"
#include "model/graph_sampler.h"
#include "model/vocabulary.h"
#include "weight_view.h"

struct llama_context;
struct llama_model;

namespace spct {

enum class FlashAttention : uint8_t { automatic, on, off };
enum class Packing : uint8_t { automatic, on, off };

struct ModelOptions {
  std::string path;
  std::string head_path;       // empty: no head
  int32_t context_tokens = 0;  // KV cells in all; 0: what about 1 GiB holds, from 4,096 to 32,768
  int32_t batch_tokens = 512;
  int32_t max_sequences = 64;  // prompts and samples at once, 2 to 256
  int32_t prefix_cache_tokens = 0;
  int32_t threads = 0;      // 0: one per core, or one alone for a very small model
  int32_t gpu_layers = -1;  // -1: all, when there is a GPU
  FlashAttention flash_attention = FlashAttention::automatic;
  Packing packing = Packing::automatic;  // of the weights, for products of many rows on the CPU
  bool share_attention = true;           // of rows that see the same cells, on the CPU
  bool updatable = false;  // whether load_weights() may be called: weights lie in plain memory, as they are in the file
};

struct ModelInfo {
  std::string description, architecture, backend, chat_template, bos_token, eos_token, head_kind;
  bool has_chat_template = false;
  int64_t parameters = 0;
  int64_t size_bytes = 0;
  int32_t embedding = 0;
  int32_t vocabulary = 0;
  int32_t context_tokens = 0;  // of one prompt and its answer
  int32_t cache_tokens = 0;    // of all together
  int32_t trained_context = 0;
  int32_t threads = 0;
  std::string shared_attention;  // the instruction set that computes it; empty: llama.cpp does
  std::string gemm;              // what multiplies with packed weights, or why nothing does
  int64_t packed_bytes = 0;      // of the copies
  int32_t packed_matrices = 0;
  int32_t packed_least_rows = 0;  // fewer rows are multiplied without the copies
};

// Frees a llama.cpp object; used with std::unique_ptr.
struct LlamaDeleter {
  void operator()(llama_model* model) const;
  void operator()(llama_context* context) const;
};

// Loads a GGUF's vocabulary without its weights. Throws MODEL_NOT_FOUND, NOT_A_GGUF, MODEL_LOAD_FAILED.
std::unique_ptr<llama_model, LlamaDeleter> load_vocabulary(const std::string& path);
const llama_vocab* vocabulary_of(const llama_model* model);

// The one user of llama.cpp's inference. One unified KV cache for all sequences.
class LlamaModel : public Model {
 public:
  // Throws MODEL_NOT_FOUND, NOT_A_GGUF, MODEL_LOAD_FAILED, UNSUPPORTED_MODEL, OUT_OF_MEMORY, HEAD_MISMATCH,
  // PACKING_UNAVAILABLE, PACKING_FAILED, and what read_head_file() throws.
  explicit LlamaModel(const ModelOptions& options);
  ~LlamaModel() override;

  // Replaces all weights. Clear the KV cache before the next decode. Throws NOT_UPDATABLE, and what update_weights()
  // throws; then the weights are as they were.
  void load_weights(const std::vector<WeightView>& weights);
  // Replaces weights and bias of the head. Throws NO_HEAD or HEAD_MISMATCH.
  void load_head(const std::vector<float>& weight, float bias);

  const ModelInfo& info() const { return info_; }
  const Vocabulary& vocabulary() const { return *vocabulary_; }

  const std::string& piece(int32_t token) const override { return vocabulary_->piece(token); }
  bool ends_generation(int32_t token) const override { return vocabulary_->ends_generation(token); }
  ModelLimits limits() const override { return limits_; }
  void copy(const SequenceCopy& copy) override;
  void remove(const SequenceRemoval& removal) noexcept override;
  void clear() noexcept override;
  DecodeStatus decode(const std::vector<BatchToken>& batch, std::vector<Draw>& draws,
                      std::vector<HeadScore>& heads) override;
  void request_abort() override { abort_ = true; }

 private:
  void load(const ModelOptions& options);
  void pack(const ModelOptions& options);
  void share_attention(const ModelOptions& options);
  void make_context(const ModelOptions& options);
  void describe(const ModelOptions& options);

  std::unique_ptr<llama_model, LlamaDeleter> model_;
  std::unique_ptr<PackedWeights> packed_;  // of the model's tensors, for the context's graphs
  std::optional<AttentionSharing> sharing_;
  std::unique_ptr<GraphSampler> sampler_;
  std::unique_ptr<llama_context, LlamaDeleter> context_;
  std::unique_ptr<Vocabulary> vocabulary_;
  ModelInfo info_;
  ModelLimits limits_;
  std::optional<Activation> head_activation_;  // none: no head
  bool updatable_;
  std::atomic<bool> abort_{false};
};

struct Device {
  std::string name, description, type;  // type: cpu | gpu | accel
  uint64_t memory_free = 0, memory_total = 0;
};

struct SystemInfo {
  std::vector<Device> devices;
  std::string instruction_sets;
  GemmSupport gemm;
  std::string llama_commit;  // "unknown" when it was built from a folder without its history
  bool cuda = false;         // compiled in
};

SystemInfo system_info();

}  // namespace spct
