#pragma once

#include <optional>
#include <vector>

#include "model/model.h"
#include "scoring/sampler.h"
#include "scoring/score_head.h"

struct ggml_cgraph;
struct ggml_context;
struct ggml_tensor;
struct llama_sampler;
struct llama_sampler_data;

namespace spct {

// Draws tokens and computes head values inside llama.cpp's graph: a sampler attached to every sequence whose first
// appearance in a graph build adds one node over the logits of the whole batch, so that no row of logits is copied out.
// The node runs on the graph's own threads. Works for one micro-batch per decode, whose rows are in batch order.
class GraphSampler {
 public:
  explicit GraphSampler(std::optional<ScoreHead> head);
  ~GraphSampler();
  GraphSampler(const GraphSampler&) = delete;
  GraphSampler& operator=(const GraphSampler&) = delete;

  // One sampler chain per sequence, owned by this object; they must outlive the context.
  std::vector<llama_sampler*> make_chains(int32_t sequences);

  // What the next graph run fills in.
  void set_work(std::vector<Draw>* draws, std::vector<HeadScore>* heads);

  // Whether the last graph gave access to the states after the final norm, which the head needs.
  bool found_states() const { return found_states_; }

 private:
  friend struct GraphSamplerHooks;
  void begin_graph() { emitted_ = false; }
  void apply(ggml_context* context, ggml_cgraph* graph, llama_sampler_data* data);
  void compute(const ggml_tensor* logits, const ggml_tensor* states, int thread, int threads);

  std::optional<ScoreHead> head_;
  std::vector<llama_sampler*> chains_;
  std::vector<SamplerScratch> scratch_;  // by thread
  std::vector<Draw>* draws_ = nullptr;
  std::vector<HeadScore>* heads_ = nullptr;
  bool emitted_ = false;
  bool found_states_ = false;
};

}  // namespace spct
