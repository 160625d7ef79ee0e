#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "model/model.h"
#include "scoring/sampler.h"
#include "scoring/score_head.h"

struct ggml_backend_buffer_type;
struct ggml_cgraph;
struct ggml_context;
struct ggml_tensor;
struct llama_sampler;
struct llama_sampler_data;

namespace spct {

// Draws tokens and computes head values where llama.cpp computes the logits, so that no row of logits is copied out: a
// sampler attached to every sequence, whose first appearance in a graph build takes hold of the whole batch.
//   CPU: it adds one node over all rows, which runs on the graph's own threads.
//   CUDA: logits and states stay where they are and one kernel each runs over them after the graph.
//   Other devices: the node, to which llama.cpp copies the logits.
// Works for one micro-batch per decode, whose rows are in batch order.
class GraphSampler {
 public:
  explicit GraphSampler(std::optional<ScoreHead> head);
  ~GraphSampler();
  GraphSampler(const GraphSampler&) = delete;
  GraphSampler& operator=(const GraphSampler&) = delete;

  // One sampler chain per sequence, owned by this object; they must outlive the context.
  std::vector<llama_sampler*> make_chains(int32_t sequences);

  // Takes the place of the head given at construction, and has as many weights. Between graph runs.
  void set_head(ScoreHead head);

  // What the next graph run fills in.
  void set_work(std::vector<Draw>* draws, std::vector<HeadScore>* heads);

  // To be called when the graph has run and the device is synchronized.
  void finish_work();

  // Whether the last graph gave access to the states after the final norm, which the head needs.
  bool found_states() const { return found_states_; }

 private:
  friend struct GraphSamplerHooks;
  struct DeviceWork;
  void choose_device(ggml_backend_buffer_type* output);
  void begin_graph() { emitted_ = false; }
  void apply(ggml_context* context, ggml_cgraph* graph, llama_sampler_data* data);
  void compute(const ggml_tensor* logits, const ggml_tensor* states, int thread, int threads);

  std::optional<ScoreHead> head_;
  std::vector<llama_sampler*> chains_;
  std::vector<SamplerScratch> scratch_;  // by thread
  std::unique_ptr<DeviceWork> device_;   // on CUDA
  std::vector<Draw>* draws_ = nullptr;
  std::vector<HeadScore>* heads_ = nullptr;
  bool emitted_ = false;
  bool found_states_ = false;
};

}  // namespace spct
