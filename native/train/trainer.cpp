#include "train/trainer.h"

#include <algorithm>

#include "error.h"
#include "train/parallel.h"
#include "train/row_layout.h"

namespace spct {
Trainer::Trainer(ModelFile file, const ModelShape& shape, const TrainerOptions& options)
    : file_(std::move(file)), shape_(shape), options_(options), backend_(make_backend(options.device, 1)) {
  if (options.threads < 1) throw Error("INVALID_ARGUMENT", "Expected at least one thread");
  if (options.device == TrainingDevice::gpu && options.lora && options.lora->rank == 1) {
    // The gradient of a single row is transposed into a matrix whose stride cuBLAS refuses, and ggml then aborts.
    throw Error("INVALID_ARGUMENT", "Expected a LoRA rank of at least 2 on a GPU but received 1");
  }
  parameters_ = options.lora ? std::make_unique<Parameters>(shape_, backend_.get(), *options.lora, file_.tensors.get())
                             : std::make_unique<Parameters>(shape_, backend_.get());
  const int workers = options.device == TrainingDevice::cpu ? options.threads : 1;
  for (int worker = 0; worker < workers; ++worker) {
    workers_.push_back(std::make_unique<GradientWorker>(shape_, *parameters_, 1, options.device));
  }
}

std::unique_ptr<Trainer> Trainer::create(const std::string& vocabulary_path, ModelShape shape, uint64_t seed,
                                         const std::vector<int32_t>& token_groups, const TrainerOptions& options) {
  if (options.lora) throw Error("INVALID_ARGUMENT", "Expected no LoRA for a new model: it has nothing to keep");
  ModelFile file = read_model_file(vocabulary_path);
  const int64_t tokens = gguf_find_key(file.metadata.get(), "tokenizer.ggml.tokens");
  if (tokens < 0) throw Error("UNSUPPORTED_MODEL", "Expected a vocabulary in " + vocabulary_path + " but it has none");
  shape.vocabulary = static_cast<int>(gguf_get_arr_n(file.metadata.get(), tokens));
  std::unique_ptr<Trainer> trainer(new Trainer(std::move(file), shape, options));
  trainer->parameters_->initialize(seed, token_groups);
  return trainer;
}

std::unique_ptr<Trainer> Trainer::open(const std::string& path, const TrainerOptions& options) {
  ModelFile file = read_model_file(path);
  const ModelShape shape = read_shape(file.metadata.get());
  std::unique_ptr<Trainer> trainer(new Trainer(std::move(file), shape, options));
  load_model(trainer->file_, *trainer->parameters_);
  if (!options.lora) {
    trainer->restore(trainer->file_);
  } else if (options.lora->adapter.empty()) {
    trainer->parameters_->initialize(options.lora->seed, {});
  } else {
    const ModelFile adapter = read_model_file(options.lora->adapter);
    load_adapter(adapter, shape, *trainer->parameters_);
    trainer->restore(adapter);
  }
  trainer->file_.tensors.reset();
  return trainer;
}

void Trainer::restore(const ModelFile& file) {
  reward_head_ = RewardHead::load(file, shape_.embedding);
  const gguf_context* checkpoint = file.metadata.get();
  const int64_t step = gguf_find_key(checkpoint, "spct.train.step");
  if (step >= 0) step_ = gguf_get_val_i64(checkpoint, step);
  const int64_t note = gguf_find_key(checkpoint, "spct.train.note");
  if (note >= 0) note_ = gguf_get_val_str(checkpoint, note);
}

void Trainer::check(const std::vector<Sequence>& sequences) const {
  if (sequences.empty()) throw Error("INVALID_ARGUMENT", "Expected at least one sequence but received none");
  for (const Sequence& sequence : sequences) check_sequence(sequence, shape_.vocabulary, shape_.context);
}

std::vector<Trainer::Share> Trainer::divide(const std::vector<Sequence>& sequences) const {
  int64_t total = 0;
  for (const Sequence& sequence : sequences) total += sequence.size();
  // Several micro-batches for each worker, so that their loads come out even. A GPU is fastest with large ones.
  const int64_t even_share = total / (3 * static_cast<int64_t>(workers_.size())) + 1;
  std::vector<Share> shares(workers_.size());
  std::vector<double> loads(workers_.size(), 0);
  const RowCost cost(shape_);
  const int64_t tokens = options_.device == TrainingDevice::cpu ? std::min(options_.micro_batch_tokens, even_share)
                                                                : options_.micro_batch_tokens;
  for (auto& micro_batch : plan_micro_batches(sequences, tokens, cost)) {
    const size_t worker = std::min_element(loads.begin(), loads.end()) - loads.begin();
    loads[worker] += cost(plan_rows(select(sequences, micro_batch), cost));
    shares[worker].push_back(std::move(micro_batch));
  }
  return shares;
}

StepResult Trainer::step(const std::vector<Sequence>& sequences, float learning_rate) {
  check(sequences);
  StepResult result;
  for (const Sequence& sequence : sequences) {
    result.tokens += sequence.size();
    result.completion_tokens += sequence.completion_size();
  }
  const float scale = 1.0f / static_cast<float>(result.completion_tokens);
  std::vector<double> losses(workers_.size(), 0.0);
  accumulate(sequences, [&](size_t worker, const std::vector<size_t>& micro_batch) {
    losses[worker] += workers_[worker]->accumulate_nll(select(sequences, micro_batch), scale);
  });
  for (const double loss : losses) result.loss += loss / static_cast<double>(result.completion_tokens);
  result.gradient_norm = update(learning_rate);
  return result;
}

void Trainer::accumulate(const std::vector<Sequence>& sequences,
                         const std::function<void(size_t, const std::vector<size_t>&)>& accumulate_part) {
  const std::vector<Share> shares = divide(sequences);
  try {
    run_workers(workers_.size(), [&](size_t worker) {
      for (const auto& micro_batch : shares[worker]) accumulate_part(worker, micro_batch);
    });
  } catch (...) {
    for (const auto& worker : workers_) worker->clear_gradients();
    throw;
  }
}

double Trainer::update(float learning_rate, double other_squares) {
  std::vector<GradientWorker*> workers;
  for (const auto& worker : workers_) workers.push_back(worker.get());
  try {
    const double norm = adamw_step(*parameters_, workers, options_.optimizer, step_ + 1, learning_rate, other_squares);
    ++step_;
    return norm;
  } catch (...) {
    for (GradientWorker* worker : workers) worker->clear_gradients();
    throw;
  }
}

StepResult Trainer::evaluate(const std::vector<Sequence>& sequences) {
  check(sequences);
  StepResult result;
  for (const Sequence& sequence : sequences) {
    result.tokens += sequence.size();
    result.completion_tokens += sequence.completion_size();
  }
  const std::vector<Share> shares = divide(sequences);
  std::vector<double> losses(workers_.size(), 0.0);
  run_workers(workers_.size(), [&](size_t worker) {
    for (const auto& micro_batch : shares[worker]) {
      losses[worker] += workers_[worker]->completion_nll(select(sequences, micro_batch));
    }
  });
  for (const double loss : losses) result.loss += loss / static_cast<double>(result.completion_tokens);
  return result;
}

std::vector<float> Trainer::hidden_states(const std::vector<Sequence>& sequences,
                                          const std::vector<int32_t>& positions) {
  check(sequences);
  if (positions.size() != sequences.size()) throw Error("INVALID_ARGUMENT", "Expected one position for each sequence");
  for (size_t i = 0; i < sequences.size(); ++i) {
    if (positions[i] < 0 || positions[i] >= sequences[i].size()) {
      throw Error("INVALID_ARGUMENT", "Expected a position inside of its sequence");
    }
  }
  const size_t width = static_cast<size_t>(shape_.embedding);
  std::vector<float> states(sequences.size() * width);
  const std::vector<Share> shares = divide(sequences);
  run_workers(workers_.size(), [&](size_t worker) {
    for (const auto& micro_batch : shares[worker]) {
      std::vector<int32_t> chosen;
      for (const size_t index : micro_batch) chosen.push_back(positions[index]);
      const std::vector<float> found = workers_[worker]->hidden_states(select(sequences, micro_batch), chosen);
      for (size_t i = 0; i < micro_batch.size(); ++i) {
        std::copy_n(found.begin() + i * width, width, states.begin() + micro_batch[i] * width);
      }
    }
  });
  return states;
}

std::optional<std::string> Trainer::metadata_text(const char* key) const {
  const int64_t id = gguf_find_key(file_.metadata.get(), key);
  if (id < 0 || gguf_get_kv_type(file_.metadata.get(), id) != GGUF_TYPE_STRING) return std::nullopt;
  return gguf_get_val_str(file_.metadata.get(), id);
}

std::optional<std::string> Trainer::token_text(const char* id_key) const {
  const int64_t id = gguf_find_key(file_.metadata.get(), id_key);
  const int64_t tokens = gguf_find_key(file_.metadata.get(), "tokenizer.ggml.tokens");
  if (id < 0 || tokens < 0 || gguf_get_kv_type(file_.metadata.get(), id) != GGUF_TYPE_UINT32) return std::nullopt;
  const uint32_t token = gguf_get_val_u32(file_.metadata.get(), id);
  if (token >= gguf_get_arr_n(file_.metadata.get(), tokens)) return std::nullopt;
  return gguf_get_arr_str(file_.metadata.get(), tokens, token);
}

void Trainer::save(const std::string& path, ggml_type matrix_type) const {
  if (parameters_->lora()) {
    save_adapter(path, shape_, *parameters_, matrix_type);
  } else {
    save_model(path, shape_, *parameters_, file_.metadata.get(), matrix_type);
  }
}

void Trainer::save_merged(const std::string& path, ggml_type matrix_type) const {
  if (!parameters_->lora()) throw Error("INVALID_ARGUMENT", "Expected a trainer with adapters to merge");
  save_model(path, shape_, *parameters_, file_.metadata.get(), matrix_type);
}

void Trainer::save_checkpoint(const std::string& path, const std::string& note) const {
  const auto others = reward_head_ ? reward_head_->values() : std::vector<CheckpointValues>();
  spct::save_checkpoint(path, shape_, *parameters_, file_.metadata.get(), step_, note, others);
}

}  // namespace spct
