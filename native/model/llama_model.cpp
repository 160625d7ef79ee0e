#include "model/llama_model.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <future>
#include <mutex>
#include <thread>

#include "accel/accel_device.h"
#include "error.h"
#include "ggml-backend.h"
#include "ggml.h"
#include "llama.h"
#include "model/copy_budget.h"
#include "model/head_file.h"
#include "model/model_weights.h"
#include "model/openmp_waiting.h"
#include "model/weight_update.h"

namespace spct {

namespace {

// llama.cpp says why a load failed only in its log.
thread_local std::string first_log_error;

void start_backend() {
  static std::once_flag once;
  std::call_once(once, [] {
    llama_log_set(
        [](ggml_log_level level, const char* text, void*) {
          if (level == GGML_LOG_LEVEL_ERROR && first_log_error.empty()) first_log_error = text;
        },
        nullptr);
    llama_backend_init();
    register_accel_device();
    bound_openmp_waiting();
  });
}

std::string reason() {
  std::string text = first_log_error;
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text.empty() ? "llama.cpp gave no reason" : text;
}

void check_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error("MODEL_NOT_FOUND", "no such file: " + path);
  char magic[4] = {};
  file.read(magic, sizeof magic);
  if (!file || std::memcmp(magic, "GGUF", 4) != 0) throw Error("NOT_A_GGUF", path + " is not a GGUF file");
}

std::unique_ptr<llama_model, LlamaDeleter> load_file(const std::string& path, const llama_model_params& params) {
  first_log_error.clear();
  std::unique_ptr<llama_model, LlamaDeleter> model;
  try {
    model.reset(llama_model_load_from_file(path.c_str(), params));
  } catch (const std::exception& error) {
    throw Error("MODEL_LOAD_FAILED", path + ": " + error.what());
  }
  if (!model) throw Error("MODEL_LOAD_FAILED", path + " could not be loaded: " + reason());
  return model;
}

std::string meta(const llama_model* model, const char* key) {
  std::string value(256, '\0');
  const int32_t length = llama_model_meta_val_str(model, key, value.data(), value.size());
  value.resize(static_cast<size_t>(std::clamp(length, 0, 255)));
  return value;
}

int32_t default_context(const llama_model* model) {
  constexpr int64_t budget = int64_t{1} << 30;
  const int64_t head_size = llama_model_n_embd(model) / std::max(1, llama_model_n_head(model));
  const int64_t bytes_per_token =
      int64_t{2} * 2 * llama_model_n_layer(model) * head_size * llama_model_n_head_kv(model);
  const int64_t fitting = budget / std::max<int64_t>(1, bytes_per_token) / 256 * 256;
  return static_cast<int32_t>(std::clamp<int64_t>(fitting, 4096, 32768));
}

bool is_tiny(const llama_model* model) { return llama_model_n_params(model) < 10'000'000; }

// The threads of a very small model wait longer for each other than they compute (docs/benchmarks.md).
int32_t default_threads(const llama_model* model) {
  if (is_tiny(model)) return 1;
  return static_cast<int32_t>(std::max(1U, std::thread::hardware_concurrency()));
}

// llama.cpp's own description, with the number of parameters where it knows no name for the size.
std::string description_of(const llama_model* model) {
  std::string text(256, '\0');
  text.resize(static_cast<size_t>(std::clamp(llama_model_desc(model, text.data(), text.size()), 0, 255)));
  const auto replace = [&](const std::string& part, const std::string& by) {
    const size_t at = text.find(part);
    if (at != std::string::npos) text.replace(at, part.size(), by);
  };
  char millions[32];
  std::snprintf(millions, sizeof millions, "%.1fM", static_cast<double>(llama_model_n_params(model)) / 1e6);
  replace("?B", millions);
  replace("(guessed) ", "");
  return text;
}

bool uses_gpu(int32_t gpu_layers) {
  if (gpu_layers == 0) return false;
  for (size_t i = 0; i < ggml_backend_dev_count(); ++i) {
    if (ggml_backend_dev_type(ggml_backend_dev_get(i)) == GGML_BACKEND_DEVICE_TYPE_GPU) return true;
  }
  return false;
}

// Of fewer rows llama.cpp's own attention takes no longer.
constexpr int64_t least_rows_of_shared_attention = 2;

size_t memory_bytes() {
  size_t free = 0, total = 0;
  ggml_backend_dev_memory(ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU), &free, &total);
  return total;
}

void check_packing(const ModelOptions& options) {
  if (options.packing != Packing::on) return;
  const GemmSupport support = gemm_support();
  if (!support.available) throw Error("PACKING_UNAVAILABLE", "weights cannot be packed: " + support.description);
  if (options.updatable) throw Error("INVALID_ARGUMENT", "Expected no packed weights for an engine that is updatable");
}

const char* type_name(enum ggml_backend_dev_type type) {
  switch (type) {
    case GGML_BACKEND_DEVICE_TYPE_CPU: return "cpu";
    case GGML_BACKEND_DEVICE_TYPE_ACCEL: return "accel";
    default: return "gpu";
  }
}

llama_flash_attn_type default_flash_attention(const llama_model* model, const ModelOptions& options, bool shared) {
  if (uses_gpu(options.gpu_layers)) return LLAMA_FLASH_ATTN_TYPE_AUTO;
  // llama.cpp's own goes row by row, which takes most of a very small model's time (docs/benchmarks.md).
  if (is_tiny(model) && !shared) return LLAMA_FLASH_ATTN_TYPE_DISABLED;
  // AUTO would do without where the accel device takes the attention of the CPU's layers.
  return LLAMA_FLASH_ATTN_TYPE_ENABLED;
}

}  // namespace

void LlamaDeleter::operator()(llama_model* model) const { llama_model_free(model); }
void LlamaDeleter::operator()(llama_context* context) const { llama_free(context); }

std::unique_ptr<llama_model, LlamaDeleter> load_vocabulary(const std::string& path) {
  start_backend();
  check_file(path);
  llama_model_params params = llama_model_default_params();
  params.vocab_only = true;
  return load_file(path, params);
}

const llama_vocab* vocabulary_of(const llama_model* model) { return llama_model_get_vocab(model); }

LlamaModel::LlamaModel(const ModelOptions& options) : updatable_(options.updatable) {
  start_backend();
  check_packing(options);
  check_file(options.path);
  std::optional<ScoreHead> head;
  if (!options.head_path.empty()) {
    HeadFile file = read_head_file(options.head_path);
    info_.head_kind = file.kind;
    head = std::move(file.head);
  }
  limits_.has_head = head.has_value();
  if (head) head_activation_ = head->activation;
  load(options);
  const auto width = static_cast<size_t>(llama_model_n_embd(model_.get()));
  if (head && head->weight.size() != width) {
    throw Error("HEAD_MISMATCH", "the head " + options.head_path + " is for states of " +
                                     std::to_string(head->weight.size()) + " values, the model has " +
                                     std::to_string(width));
  }
  vocabulary_ = std::make_unique<Vocabulary>(llama_model_get_vocab(model_.get()));
  sampler_ = std::make_unique<GraphSampler>(std::move(head));
  info_.threads = options.threads > 0 ? options.threads : default_threads(model_.get());
  pack(options);
  share_attention(options);
  make_context(options);
  if (limits_.has_head && !sampler_->found_states()) {
    throw Error("UNSUPPORTED_MODEL",
                "a head needs the states after the final norm, which llama.cpp does not expose for " +
                    meta(model_.get(), "general.architecture"));
  }
  describe(options);
}

LlamaModel::~LlamaModel() = default;

void LlamaModel::load(const ModelOptions& options) {
  llama_model_params params = llama_model_default_params();
  params.n_gpu_layers = options.gpu_layers;
  // Weights in the CPU backend's own layouts can neither be written nor packed.
  params.use_extra_bufts = !options.updatable && options.packing != Packing::on;
  if (options.updatable) params.load_mode = LLAMA_LOAD_MODE_NONE;  // a mapped file cannot be written
  model_ = load_file(options.path, params);
  const bool decoder = llama_model_has_decoder(model_.get()) && !llama_model_has_encoder(model_.get());
  if (!decoder || llama_model_is_recurrent(model_.get()) || llama_model_is_hybrid(model_.get())) {
    throw Error("UNSUPPORTED_MODEL", "Expected a decoder with a KV cache but received the architecture " +
                                         meta(model_.get(), "general.architecture"));
  }
}

void LlamaModel::pack(const ModelOptions& options) {
  const GemmSupport support = gemm_support();
  info_.gemm = support.description;
  const bool automatic = options.packing == Packing::automatic;
  if (options.packing == Packing::off || !support.available || updatable_) return;
  if (automatic && uses_gpu(options.gpu_layers)) return;
  PackingOptions packing;
  packing.batch_invariant = is_tiny(model_.get());
  packing.threads = info_.threads;
  packing.measure = automatic && !packing.batch_invariant;  // it takes longer than loading
  if (automatic) packing.most_bytes = copy_budget(memory_bytes(), PackedWeights::bytes_of_all());
  try {
    // On a thread that ends, and its OpenMP team with it: while the teams have more threads than the machine has cores,
    // all of them sleep at once (openmp_waiting.h).
    const auto copy = [&] { return std::make_unique<PackedWeights>(multiplied_weights(model_.get()), packing); };
    packed_ = std::async(std::launch::async, copy).get();
  } catch (const Error& error) {
    if (!automatic) throw;
    info_.gemm += std::string(", but ") + error.what();
    return;
  }
  if (!automatic && packed_->count() == 0) {
    throw Error("PACKING_UNAVAILABLE", "weights cannot be packed: none of the model's lies in the CPU's memory");
  }
  if (packed_->count() > 0) info_.gemm = packed_->gemm();
  info_.packed_bytes = static_cast<int64_t>(packed_->bytes());
  info_.packed_matrices = static_cast<int32_t>(packed_->count());
  info_.packed_least_rows = static_cast<int32_t>(packed_->least_rows());
}

void LlamaModel::share_attention(const ModelOptions& options) {
  const std::string support = attention_sharing_support();
  if (!options.share_attention || support.empty() || uses_gpu(options.gpu_layers)) return;
  sharing_.emplace(layer_matrices(model_.get()), is_tiny(model_.get()) ? 1 : least_rows_of_shared_attention);
  info_.shared_attention = support;
}

void LlamaModel::make_context(const ModelOptions& options) {
  llama_context_params params = llama_context_default_params();
  params.n_ctx = options.context_tokens > 0 ? options.context_tokens : default_context(model_.get());
  params.n_batch = params.n_ubatch = options.batch_tokens;
  params.n_seq_max = options.max_sequences;
  params.n_outputs_max = std::min(options.max_sequences, options.batch_tokens);
  params.n_outputs_max_per_seq = 1;
  params.n_threads = params.n_threads_batch = info_.threads;
  params.kv_unified = true;
  params.no_perf = true;
  switch (options.flash_attention) {
    case FlashAttention::automatic:
      params.flash_attn_type = default_flash_attention(model_.get(), options, sharing_.has_value());
      break;
    case FlashAttention::on: params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_ENABLED; break;
    case FlashAttention::off: params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED; break;
  }
  params.abort_callback = [](void* flag) { return static_cast<std::atomic<bool>*>(flag)->load(); };
  params.abort_callback_data = &abort_;
  std::vector<llama_sampler_seq_config> samplers;
  for (llama_sampler* chain : sampler_->make_chains(options.max_sequences)) {
    samplers.push_back({static_cast<llama_seq_id>(samplers.size()), chain});
  }
  params.samplers = samplers.data();
  params.n_samplers = samplers.size();

  first_log_error.clear();
  try {
    context_.reset(llama_init_from_model(model_.get(), params));
  } catch (const std::exception& error) {
    throw Error("OUT_OF_MEMORY", std::string("the context could not be made: ") + error.what());
  }
  if (!context_) {
    throw Error("OUT_OF_MEMORY",
                "the context of " + std::to_string(params.n_ctx) + " tokens could not be made: " + reason());
  }
  const auto cells = static_cast<int32_t>(llama_n_ctx(context_.get()));
  limits_.cells = cells;
  limits_.cells_per_sequence = std::min(cells, llama_model_n_ctx_train(model_.get()));
  limits_.max_sequences = options.max_sequences;
  limits_.batch_tokens = options.batch_tokens;
  limits_.vocabulary = vocabulary_->size();
  limits_.prefix_cache_tokens = options.prefix_cache_tokens;
}

void LlamaModel::describe(const ModelOptions& options) {
  const llama_model* model = model_.get();
  info_.description = description_of(model);
  info_.architecture = meta(model, "general.architecture");
  info_.backend = uses_gpu(options.gpu_layers) ? "gpu" : "cpu";
  if (const char* chat_template = llama_model_chat_template(model, nullptr)) {
    info_.chat_template = chat_template;
    info_.has_chat_template = true;
  }
  const auto name = [&](int32_t token) { return token < 0 ? std::string() : vocabulary_->name(token); };
  info_.bos_token = name(vocabulary_->beginning());
  info_.eos_token = name(llama_vocab_eos(llama_model_get_vocab(model)));
  info_.parameters = static_cast<int64_t>(llama_model_n_params(model));
  info_.size_bytes = static_cast<int64_t>(llama_model_size(model));
  info_.embedding = llama_model_n_embd(model);
  info_.vocabulary = vocabulary_->size();
  info_.context_tokens = limits_.cells_per_sequence;
  info_.cache_tokens = limits_.cells;
  info_.trained_context = llama_model_n_ctx_train(model);
}

void LlamaModel::load_weights(const std::vector<WeightView>& weights) {
  if (!updatable_) throw Error("NOT_UPDATABLE", "Expected an engine that was loaded with updatable: true");
  update_weights(model_.get(), weights);
}

void LlamaModel::load_head(const std::vector<float>& weight, float bias) {
  if (!head_activation_) throw Error("NO_HEAD", "Expected an engine that was loaded with a head");
  if (weight.size() != static_cast<size_t>(info_.embedding)) {
    throw Error("HEAD_MISMATCH", "Expected " + std::to_string(info_.embedding) + " weights for a head but received " +
                                     std::to_string(weight.size()));
  }
  sampler_->set_head({weight, bias, *head_activation_});
}

void LlamaModel::copy(const SequenceCopy& copy) {
  llama_memory_seq_cp(llama_get_memory(context_.get()), copy.from, copy.to, 0, copy.length);
}

void LlamaModel::remove(const SequenceRemoval& removal) noexcept {
  llama_memory_seq_rm(llama_get_memory(context_.get()), removal.sequence, removal.begin, -1);
}

void LlamaModel::clear() noexcept { llama_memory_clear(llama_get_memory(context_.get()), false); }

DecodeStatus LlamaModel::decode(const std::vector<BatchToken>& batch, std::vector<Draw>& draws,
                                std::vector<HeadScore>& heads) {
  const size_t size = batch.size();
  std::vector<llama_token> tokens(size);
  std::vector<llama_pos> positions(size);
  std::vector<llama_seq_id> sequences(size);
  std::vector<llama_seq_id*> sequence_lists(size);
  std::vector<int32_t> sequence_counts(size, 1);
  std::vector<int8_t> outputs(size);
  for (size_t i = 0; i < size; ++i) {
    tokens[i] = batch[i].token;
    positions[i] = batch[i].position;
    sequences[i] = batch[i].sequence;
    sequence_lists[i] = &sequences[i];
    outputs[i] = batch[i].output;
  }
  llama_batch view{};
  view.n_tokens = static_cast<int32_t>(size);
  view.token = tokens.data();
  view.pos = positions.data();
  view.n_seq_id = sequence_counts.data();
  view.seq_id = sequence_lists.data();
  view.logits = outputs.data();

  sampler_->set_work(&draws, &heads);
  first_log_error.clear();
  int32_t status = 0;
  try {
    status = llama_decode(context_.get(), view);
    llama_synchronize(context_.get());
    if (status == 0) sampler_->finish_work();
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    throw Error("DECODE_FAILED", std::string("llama.cpp failed: ") + error.what());
  }
  switch (status) {
    case 0: return DecodeStatus::ok;
    case 1: return DecodeStatus::no_space;
    case 2: return DecodeStatus::aborted;
    default: throw Error("DECODE_FAILED", "llama.cpp failed with status " + std::to_string(status) + ": " + reason());
  }
}

SystemInfo system_info() {
  start_backend();
  SystemInfo info;
  for (size_t i = 0; i < ggml_backend_dev_count(); ++i) {
    ggml_backend_dev_t device = ggml_backend_dev_get(i);
    size_t free = 0, total = 0;
    ggml_backend_dev_memory(device, &free, &total);
    info.devices.push_back({ggml_backend_dev_name(device), ggml_backend_dev_description(device),
                            type_name(ggml_backend_dev_type(device)), free, total});
  }
  info.gemm = gemm_support();
  info.instruction_sets = llama_print_system_info();
  info.llama_commit = ggml_commit();
#ifdef SPCT_CUDA
  info.cuda = true;
#endif
  return info;
}

}  // namespace spct
