#include "train/gradient_worker.h"

#include <ggml-cpu.h>
#include <ggml-impl.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "error.h"
#include "train/outer_product.h"
#include "train/row_layout.h"

namespace spct {
namespace {

// A layer of Gemma 2 with adapters has the most: about 100 forward and 150 backward.
size_t graph_nodes(const ModelShape& shape) { return 1024 + 512 * static_cast<size_t>(shape.layers); }

// What predicts each completion token.
std::vector<int32_t> completion_positions(const std::vector<const Sequence*>& sequences, const RowLayout& layout) {
  std::vector<int32_t> positions;
  for (size_t i = 0; i < sequences.size(); ++i) {
    for (int64_t at = sequences[i]->completion_begin; at < sequences[i]->size(); ++at) {
      positions.push_back(layout.places[i].row * layout.columns + layout.places[i].column + static_cast<int>(at) - 1);
    }
  }
  return positions;
}

std::vector<int32_t> chosen_positions(const std::vector<int32_t>& positions, const RowLayout& layout) {
  std::vector<int32_t> outputs;
  for (size_t i = 0; i < positions.size(); ++i) {
    outputs.push_back(layout.places[i].row * layout.columns + layout.places[i].column + positions[i]);
  }
  return outputs;
}

std::vector<float> values_of(const ggml_tensor* tensor) {
  std::vector<float> values(static_cast<size_t>(ggml_nelements(tensor)));
  ggml_backend_tensor_get(tensor, values.data(), 0, values.size() * sizeof(float));
  return values;
}

}  // namespace

struct GradientWorker::Inputs {
  const std::vector<const Sequence*>& sequences;
  const RowLayout& layout;
  std::vector<int32_t> tokens;
  std::vector<int32_t> positions;
  std::vector<int32_t> outputs;

  Inputs(const std::vector<const Sequence*>& batch, const RowLayout& rows, std::vector<int32_t> output_positions)
      : sequences(batch),
        layout(rows),
        tokens(static_cast<size_t>(rows.rows) * rows.columns, 0),
        positions(tokens.size(), 0),
        outputs(std::move(output_positions)) {
    for (size_t i = 0; i < sequences.size(); ++i) {
      const auto begin = static_cast<int64_t>(layout.places[i].row) * layout.columns + layout.places[i].column;
      std::copy(sequences[i]->tokens.begin(), sequences[i]->tokens.end(), tokens.begin() + begin);
      std::iota(positions.begin() + begin, positions.begin() + begin + sequences[i]->size(), 0);
    }
  }

  ForwardSize size() const {
    return {layout.columns, layout.rows, layout.packed ? layout.rows : 1, static_cast<int>(outputs.size())};
  }

  // A query sees itself and the `window` - 1 tokens of its sequence before it. Padding sees at least itself, so that no
  // softmax is over nothing.
  std::vector<float> mask(int window) const {
    const auto columns = static_cast<size_t>(layout.columns);
    std::vector<float> mask(size().masks * columns * columns, -std::numeric_limits<float>::infinity());
    const auto allow = [&](size_t row, size_t begin, size_t length) {
      for (size_t query = begin; query < begin + length; ++query) {
        const size_t first = std::max(begin, query + 1 - std::min<size_t>(query + 1, window));
        std::fill_n(mask.begin() + (row * columns + query) * columns + first, query + 1 - first, 0.0f);
      }
    };
    if (!layout.packed) {
      allow(0, 0, columns);
      return mask;
    }
    for (size_t cell = 0; cell < mask.size() / columns; ++cell) mask[cell * columns + cell % columns] = 0.0f;
    for (size_t i = 0; i < sequences.size(); ++i) {
      allow(layout.places[i].row, layout.places[i].column, static_cast<size_t>(sequences[i]->size()));
    }
    return mask;
  }
};

GradientWorker::GradientWorker(const ModelShape& shape, const Parameters& parameters, int threads,
                               TrainingDevice device)
    : shape_(shape),
      parameters_(parameters),
      backend_(make_backend(device, threads)),
      losses_(make_token_losses(backend_.get())) {
  gradient_context_.reset(ggml_init({parameters.all().size() * ggml_tensor_overhead(), nullptr, true}));
  for (const Parameter& parameter : parameters.all()) {
    gradients_.push_back(ggml_dup_tensor(gradient_context_.get(), parameter.weight));
  }
  gradient_buffer_.reset(ggml_backend_alloc_ctx_tensors(gradient_context_.get(), backend_.get()));
  if (!gradient_buffer_) throw Error("OUT_OF_MEMORY", "The gradients do not fit into memory");
  clear_gradients();
  allocator_.reset(ggml_gallocr_new(ggml_backend_get_default_buffer_type(backend_.get())));
  graph_memory_.resize(3 * graph_nodes(shape) * ggml_tensor_overhead() +
                       ggml_graph_overhead_custom(graph_nodes(shape), true));
}

std::vector<int32_t> GradientWorker::completion_tokens(const std::vector<const Sequence*>& sequences) {
  std::vector<int32_t> tokens;
  for (const Sequence* sequence : sequences) {
    tokens.insert(tokens.end(), sequence->tokens.begin() + sequence->completion_begin, sequence->tokens.end());
  }
  return tokens;
}

void GradientWorker::clear_gradients() { ggml_backend_buffer_clear(gradient_buffer_.get(), 0); }

void GradientWorker::run(ggml_cgraph* graph, int begin, int end) {
  ggml_cgraph part = ggml_graph_view(graph, begin, end);
  if (ggml_backend_graph_compute(backend_.get(), &part) != GGML_STATUS_SUCCESS) {
    throw Error("TRAINING_FAILED", "The training graph could not be computed");
  }
}

void GradientWorker::upload(const ForwardGraph& forward, const Inputs& inputs) {
  const auto set = [](ggml_tensor* tensor, const auto& values) {
    ggml_backend_tensor_set(tensor, values.data(), 0, values.size() * sizeof(values[0]));
  };
  set(forward.tokens_input, inputs.tokens);
  set(forward.positions_input, inputs.positions);
  set(forward.mask_input, inputs.mask(inputs.layout.columns));
  if (forward.window_mask_input != nullptr) set(forward.window_mask_input, inputs.mask(shape_.window));
  set(forward.outputs_input, inputs.outputs);
}

void GradientWorker::allocate(ggml_cgraph* graph) {
  check_operations(backend_.get(), graph);
  if (!ggml_gallocr_alloc_graph(allocator_.get(), graph)) {
    throw Error("OUT_OF_MEMORY", "The activations of a micro-batch do not fit into memory");
  }
}

double GradientWorker::accumulate_nll(const std::vector<const Sequence*>& sequences, float scale) {
  const RowLayout layout = plan_rows(sequences, RowCost(shape_));
  double sum = 0;
  accumulate_outputs(sequences, layout, completion_positions(sequences, layout), true,
                     [&](ggml_tensor* logits, ggml_tensor* gradient) {
                       sum = losses_->nll(logits, completion_tokens(sequences), scale, gradient);
                       if (std::isfinite(sum)) return;
                       throw Error("LOSS_NOT_FINITE", "The loss is not a finite number; lower the learning rate");
                     });
  return sum;
}

TokenProbabilities GradientWorker::accumulate_policy(const std::vector<const Sequence*>& sequences,
                                                     const std::vector<PolicyToken>& tokens,
                                                     const GrpoOptions& options) {
  const RowLayout layout = plan_rows(sequences, RowCost(shape_));
  TokenProbabilities found;
  accumulate_outputs(sequences, layout, completion_positions(sequences, layout), true,
                     [&](ggml_tensor* logits, ggml_tensor* gradient) {
                       found = losses_->policy(logits, completion_tokens(sequences), tokens, options, gradient);
                     });
  return found;
}

void GradientWorker::accumulate_states(const std::vector<const Sequence*>& sequences,
                                       const std::vector<int32_t>& positions, const StatesGradient& states_gradient) {
  const RowLayout layout = plan_rows(sequences, RowCost(shape_));
  accumulate_outputs(sequences, layout, chosen_positions(positions, layout), false,
                     [&](ggml_tensor* outputs, ggml_tensor* gradient) {
                       std::vector<float> states = values_of(outputs);
                       states_gradient(states.data());
                       ggml_backend_tensor_set(gradient, states.data(), 0, states.size() * sizeof(float));
                     });
}

void GradientWorker::accumulate_outputs(const std::vector<const Sequence*>& sequences, const RowLayout& layout,
                                        std::vector<int32_t> positions, bool with_logits,
                                        const std::function<void(ggml_tensor* outputs, ggml_tensor* gradient)>& loss) {
  const Inputs inputs(sequences, layout, std::move(positions));

  GgmlContext context(ggml_init({graph_memory_.size(), graph_memory_.data(), true}));
  const ForwardGraph forward = build_forward(context.get(), shape_, parameters_, inputs.size(), with_logits);
  ggml_tensor* outputs = with_logits ? forward.logits : forward.hidden;
  ggml_cgraph* graph = ggml_new_graph_custom(context.get(), graph_nodes(shape_), true);
  ggml_build_forward_expand(graph, outputs);
  const int forward_nodes = ggml_graph_n_nodes(graph);

  // The loss is computed outside of the graph: its gradient enters as the accumulator of the outputs.
  ggml_tensor* outputs_gradient = ggml_dup_tensor(context.get(), outputs);
  ggml_set_input(outputs_gradient);
  ggml_set_output(outputs);
  outputs->flags |= GGML_TENSOR_FLAG_LOSS;
  std::vector<ggml_tensor*> accumulators(static_cast<size_t>(forward_nodes), nullptr);
  for (int node = 0; node < forward_nodes; ++node) {
    const ggml_tensor* tensor = ggml_graph_node(graph, node);
    if (tensor == outputs) accumulators[node] = outputs_gradient;
    for (size_t i = 0; i < gradients_.size(); ++i) {
      if (tensor == parameters_.all()[i].weight) accumulators[node] = gradients_[i];
    }
  }
  ggml_build_backward_expand(context.get(), graph, accumulators.data());
  if (ggml_backend_is_cpu(backend_.get())) accelerate_outer_products(graph);
  allocate(graph);

  upload(forward, inputs);
  run(graph, 0, forward_nodes);
  loss(outputs, outputs_gradient);
  run(graph, forward_nodes, ggml_graph_n_nodes(graph));
}

void GradientWorker::forward(const std::vector<const Sequence*>& sequences, const RowLayout& layout,
                             std::vector<int32_t> positions, bool with_logits,
                             const std::function<void(ggml_tensor* outputs)>& use) {
  const Inputs inputs(sequences, layout, std::move(positions));
  GgmlContext context(ggml_init({graph_memory_.size(), graph_memory_.data(), true}));
  const ForwardGraph forward = build_forward(context.get(), shape_, parameters_, inputs.size(), with_logits);
  ggml_tensor* outputs = with_logits ? forward.logits : forward.hidden;
  ggml_cgraph* graph = ggml_new_graph_custom(context.get(), graph_nodes(shape_), false);
  ggml_build_forward_expand(graph, outputs);
  allocate(graph);
  upload(forward, inputs);
  run(graph, 0, ggml_graph_n_nodes(graph));
  use(outputs);
}

void GradientWorker::forward_completions(const std::vector<const Sequence*>& sequences,
                                         const std::function<void(ggml_tensor* logits)>& use) {
  const RowLayout layout = plan_rows(sequences, RowCost(shape_));
  forward(sequences, layout, completion_positions(sequences, layout), true, use);
}

std::vector<float> GradientWorker::hidden_states(const std::vector<const Sequence*>& sequences,
                                                 const std::vector<int32_t>& positions) {
  const RowLayout layout = plan_rows(sequences, RowCost(shape_));
  std::vector<float> states;
  forward(sequences, layout, chosen_positions(positions, layout), false,
          [&](ggml_tensor* outputs) { states = values_of(outputs); });
  return states;
}

double GradientWorker::completion_nll(const std::vector<const Sequence*>& sequences) {
  double sum = 0;
  forward_completions(
      sequences, [&](ggml_tensor* logits) { sum = losses_->nll(logits, completion_tokens(sequences), 0.0f, nullptr); });
  return sum;
}

std::vector<double> GradientWorker::completion_log_probabilities(const std::vector<const Sequence*>& sequences,
                                                                 double temperature) {
  std::vector<double> found;
  forward_completions(sequences, [&](ggml_tensor* logits) {
    found = losses_->log_probabilities(logits, completion_tokens(sequences), temperature);
  });
  return found;
}

}  // namespace spct
