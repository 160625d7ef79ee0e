#include "model/graph_sampler.h"

#include <cstdlib>
#include <string>

#include "cuda/scoring_cuda.h"
#include "ggml-backend.h"
#include "ggml.h"
#include "llama.h"

namespace spct {

namespace {
constexpr int max_threads = GGML_MAX_N_THREADS;
}

// The logits [n_vocab, rows] and states [n_embd, rows] of the last graph that was built, in the memory of a CUDA
// device.
struct GraphSampler::DeviceWork {
  DeviceWork(const std::optional<ScoreHead>& head, int device) : scratch(device), device(device) {
    if (head) device_head = std::make_unique<DeviceScoreHead>(*head, device);
  }

  DeviceScratch scratch;
  const int device;
  std::unique_ptr<DeviceScoreHead> device_head;
  const ggml_tensor* logits = nullptr;
  const ggml_tensor* states = nullptr;
};

// llama.cpp's view of the object: plain functions over the sampler's context pointer.
struct GraphSamplerHooks {
  static GraphSampler& self(llama_sampler* sampler) { return *static_cast<GraphSampler*>(sampler->ctx); }

  static const char* name(const llama_sampler*) { return "spct"; }
  static void host_apply(llama_sampler*, llama_token_data_array*) {}
  static bool backend_init(llama_sampler* sampler, ggml_backend_buffer_type_t output, uint32_t) {
    self(sampler).choose_device(output);
    return true;
  }
  static void backend_reset(llama_sampler* sampler) { self(sampler).begin_graph(); }
  static void backend_apply(llama_sampler* sampler, ggml_context* context, ggml_cgraph* graph,
                            llama_sampler_data* data) {
    self(sampler).apply(context, graph, data);
  }
  static void compute(ggml_tensor* out, int thread, int threads, void* object) {
    static_cast<GraphSampler*>(object)->compute(out->src[0], out->src[1], thread, threads);
  }
};

GraphSampler::GraphSampler(std::optional<ScoreHead> head) : head_(std::move(head)), scratch_(max_threads) {}

GraphSampler::~GraphSampler() {
  for (llama_sampler* chain : chains_) llama_sampler_free(chain);
}

std::vector<llama_sampler*> GraphSampler::make_chains(int32_t sequences) {
  static llama_sampler_i hooks = [] {
    llama_sampler_i interface {};
    interface.name = GraphSamplerHooks::name;
    interface.apply = GraphSamplerHooks::host_apply;
    interface.backend_init = GraphSamplerHooks::backend_init;
    interface.backend_apply = GraphSamplerHooks::backend_apply;
    interface.backend_reset = GraphSamplerHooks::backend_reset;
    return interface;
  }();
  for (int32_t i = 0; i < sequences; ++i) {
    llama_sampler* chain = llama_sampler_chain_init(llama_sampler_chain_default_params());
    llama_sampler_chain_add(chain, llama_sampler_init(&hooks, this));
    chains_.push_back(chain);
  }
  return chains_;
}

void GraphSampler::choose_device(ggml_backend_buffer_type* output) {
  ggml_backend_dev_t device = ggml_backend_buft_get_device(output);
  if (device_ || !device || cuda_device_count() == 0) return;
  const std::string backend = ggml_backend_reg_name(ggml_backend_dev_backend_reg(device));
  if (backend != "CUDA") return;
  const std::string name = ggml_backend_dev_name(device);  // CUDA0, CUDA1, ...
  device_ = std::make_unique<DeviceWork>(head_, std::atoi(name.c_str() + backend.size()));
}

void GraphSampler::set_head(ScoreHead head) {
  if (device_) device_->device_head = std::make_unique<DeviceScoreHead>(head, device_->device);
  head_ = std::move(head);
}

void GraphSampler::set_work(std::vector<Draw>* draws, std::vector<HeadScore>* heads) {
  draws_ = draws;
  heads_ = heads;
}

void GraphSampler::apply(ggml_context* context, ggml_cgraph* graph, llama_sampler_data* data) {
  ggml_tensor* padded = data->logits->view_src;
  if (!padded) return;     // llama.cpp counts the nodes of a chain on a bare tensor
  data->logits = nullptr;  // keeps the padded copy and this sequence's row out of the graph
  if (emitted_) return;
  emitted_ = true;

  ggml_tensor* logits = padded->src[0];  // [n_vocab, rows]
  if (logits->ne[1] == 0) return;
  ggml_tensor* states = head_ ? ggml_graph_get_tensor(graph, "result_norm") : nullptr;  // [n_embd, rows]
  found_states_ =
      states && states->ne[1] == logits->ne[1] && states->ne[0] == static_cast<int64_t>(head_->weight.size());
  if (device_) {
    ggml_set_output(logits);
    if (found_states_) ggml_set_output(states);
    device_->logits = logits;
    device_->states = found_states_ ? states : nullptr;
    return;
  }
  ggml_tensor* sources[] = {logits, states};
  ggml_tensor* node = ggml_custom_4d(context, GGML_TYPE_F32, 1, 1, 1, 1, sources, found_states_ ? 2 : 1,
                                     GraphSamplerHooks::compute, GGML_N_TASKS_MAX, this);
  ggml_set_name(node, "spct_sample");
  ggml_set_output(node);
  ggml_build_forward_expand(graph, node);
}

void GraphSampler::finish_work() {
  if (!device_) return;
  const auto data = [](const ggml_tensor* tensor) { return static_cast<const float*>(tensor->data); };
  const auto rows = [](const ggml_tensor* tensor) { return static_cast<int32_t>(tensor->ne[1]); };
  if (!draws_->empty()) {
    const ggml_tensor* logits = device_->logits;
    sample_cuda(data(logits), static_cast<int32_t>(logits->ne[0]), rows(logits), draws_->data(), draws_->size(),
                device_->scratch);
  }
  if (heads_->empty()) return;
  std::vector<int32_t> head_rows;
  for (const HeadScore& score : *heads_) head_rows.push_back(score.row);
  std::vector<float> values(head_rows.size());
  score_head_cuda(*device_->device_head, data(device_->states), rows(device_->states), head_rows.data(),
                  head_rows.size(), values.data(), device_->scratch);
  for (size_t i = 0; i < values.size(); ++i) (*heads_)[i].value = values[i];
}

void GraphSampler::compute(const ggml_tensor* logits, const ggml_tensor* states, int thread, int threads) {
  sample_batch(static_cast<const float*>(logits->data), static_cast<int32_t>(logits->ne[0]), draws_->data(),
               draws_->size(), thread, threads, scratch_[thread]);
  if (!states) return;
  for (size_t i = thread; i < heads_->size(); i += threads) {
    HeadScore& score = (*heads_)[i];
    score.value = score_head_cpu(*head_, static_cast<const float*>(states->data) + score.row * states->ne[0]);
  }
}

}  // namespace spct
