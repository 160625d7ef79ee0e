#include "train/gradient_worker.h"

#include <ggml-cpu.h>
#include <ggml-impl.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "error.h"
#include "train/losses.h"
#include "train/outer_product.h"

namespace spct {
namespace {

// A layer of Gemma 2 has the most: about 60 forward and 130 backward.
size_t graph_nodes(const ModelShape& shape) { return 1024 + 512 * static_cast<size_t>(shape.layers); }

std::vector<int32_t> completion_positions(const std::vector<const Sequence*>& sequences, int columns) {
  std::vector<int32_t> positions;
  for (size_t row = 0; row < sequences.size(); ++row) {
    for (int64_t at = sequences[row]->completion_begin; at < sequences[row]->size(); ++at) {
      positions.push_back(static_cast<int32_t>(static_cast<int64_t>(row) * columns + at - 1));
    }
  }
  return positions;
}

std::vector<int32_t> chosen_positions(const std::vector<int32_t>& positions, int columns) {
  std::vector<int32_t> outputs;
  for (size_t row = 0; row < positions.size(); ++row) {
    outputs.push_back(static_cast<int32_t>(row) * columns + positions[row]);
  }
  return outputs;
}

// The padded length: whole vectors let ggml use its fast matrix product.
int padded_columns(const std::vector<const Sequence*>& sequences) {
  int64_t columns = 0;
  for (const Sequence* sequence : sequences) columns = std::max(columns, sequence->size());
  return static_cast<int>((columns + 15) / 16 * 16);
}

}  // namespace

struct GradientWorker::Inputs {
  int columns;
  int rows;
  std::vector<int32_t> tokens;
  std::vector<int32_t> positions;
  std::vector<int32_t> outputs;

  Inputs(const std::vector<const Sequence*>& sequences, int padded, std::vector<int32_t> output_positions)
      : columns(padded),
        rows(static_cast<int>(sequences.size())),
        tokens(sequences.size() * padded, 0),
        positions(sequences.size() * padded, 0),
        outputs(std::move(output_positions)) {
    for (int row = 0; row < rows; ++row) {
      std::copy(sequences[row]->tokens.begin(), sequences[row]->tokens.end(), tokens.begin() + row * columns);
      std::iota(positions.begin() + row * columns, positions.begin() + (row + 1) * columns, 0);
    }
  }

  ForwardSize size() const { return {columns, rows, 1, static_cast<int>(outputs.size())}; }

  // A query sees itself and the `window` - 1 tokens before it.
  std::vector<float> mask(int window) const {
    std::vector<float> mask(static_cast<size_t>(columns) * columns, -std::numeric_limits<float>::infinity());
    for (int query = 0; query < columns; ++query) {
      const int first = std::max(0, query + 1 - window);
      std::fill_n(mask.begin() + static_cast<size_t>(query) * columns + first, query + 1 - first, 0.0f);
    }
    return mask;
  }
};

GradientWorker::GradientWorker(const ModelShape& shape, const Parameters& parameters, int threads)
    : shape_(shape), parameters_(parameters), backend_(ggml_backend_cpu_init()) {
  if (!backend_) throw Error("OUT_OF_MEMORY", "The CPU backend could not be created");
  ggml_backend_cpu_set_n_threads(backend_.get(), threads);
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
  set(forward.mask_input, inputs.mask(inputs.columns));
  if (forward.window_mask_input != nullptr) set(forward.window_mask_input, inputs.mask(shape_.window));
  set(forward.outputs_input, inputs.outputs);
}

double GradientWorker::accumulate_nll(const std::vector<const Sequence*>& sequences, float scale) {
  return accumulate(sequences, [&](float* logits, const int32_t* targets, int64_t rows) {
    return nll_loss_cpu(logits, targets, rows, shape_.vocabulary, scale, logits);
  });
}

double GradientWorker::accumulate(const std::vector<const Sequence*>& sequences, const LogitsLoss& logits_loss) {
  const std::vector<int32_t> targets = completion_tokens(sequences);
  return accumulate_outputs(
      sequences, completion_positions(sequences, padded_columns(sequences)), true,
      [&](float* logits) { return logits_loss(logits, targets.data(), static_cast<int64_t>(targets.size())); });
}

void GradientWorker::accumulate_states(const std::vector<const Sequence*>& sequences,
                                       const std::vector<int32_t>& positions, const StatesGradient& states_gradient) {
  accumulate_outputs(sequences, chosen_positions(positions, padded_columns(sequences)), false, [&](float* states) {
    states_gradient(states);
    return 0.0;
  });
}

double GradientWorker::accumulate_outputs(const std::vector<const Sequence*>& sequences, std::vector<int32_t> positions,
                                          bool with_logits, const std::function<double(float* outputs)>& loss) {
  const int columns = padded_columns(sequences);
  const Inputs inputs(sequences, columns, std::move(positions));

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
  accelerate_outer_products(graph);
  if (!ggml_gallocr_alloc_graph(allocator_.get(), graph)) {
    throw Error("OUT_OF_MEMORY", "The activations of a micro-batch do not fit into memory");
  }

  upload(forward, inputs);
  run(graph, 0, forward_nodes);
  outputs_.resize(static_cast<size_t>(ggml_nelements(outputs)));
  ggml_backend_tensor_get(outputs, outputs_.data(), 0, outputs_.size() * sizeof(float));
  const double value = loss(outputs_.data());
  if (!std::isfinite(value)) throw Error("LOSS_NOT_FINITE", "The loss is not a finite number; lower the learning rate");
  ggml_backend_tensor_set(outputs_gradient, outputs_.data(), 0, outputs_.size() * sizeof(float));
  run(graph, forward_nodes, ggml_graph_n_nodes(graph));
  return value;
}

std::vector<float> GradientWorker::hidden_states(const std::vector<const Sequence*>& sequences,
                                                 const std::vector<int32_t>& positions) {
  const int columns = padded_columns(sequences);
  const Inputs inputs(sequences, columns, chosen_positions(positions, columns));
  GgmlContext context(ggml_init({graph_memory_.size(), graph_memory_.data(), true}));
  const ForwardGraph forward = build_forward(context.get(), shape_, parameters_, inputs.size(), false);
  ggml_cgraph* graph = ggml_new_graph_custom(context.get(), graph_nodes(shape_), false);
  ggml_build_forward_expand(graph, forward.hidden);
  if (!ggml_gallocr_alloc_graph(allocator_.get(), graph))
    throw Error("OUT_OF_MEMORY", "The activations do not fit into memory");
  upload(forward, inputs);
  run(graph, 0, ggml_graph_n_nodes(graph));
  std::vector<float> states(sequences.size() * static_cast<size_t>(shape_.embedding));
  ggml_backend_tensor_get(forward.hidden, states.data(), 0, states.size() * sizeof(float));
  return states;
}

double GradientWorker::completion_nll(const std::vector<const Sequence*>& sequences) {
  std::vector<float> logits = completion_logits(sequences);
  const std::vector<int32_t> targets = completion_tokens(sequences);
  return nll_loss_cpu(logits.data(), targets.data(), static_cast<int64_t>(targets.size()), shape_.vocabulary, 0.0f,
                      logits.data());
}

std::vector<float> GradientWorker::completion_logits(const std::vector<const Sequence*>& sequences) {
  const int columns = padded_columns(sequences);
  const Inputs inputs(sequences, columns, completion_positions(sequences, columns));
  GgmlContext context(ggml_init({graph_memory_.size(), graph_memory_.data(), true}));
  const ForwardGraph forward = build_forward(context.get(), shape_, parameters_, inputs.size(), true);
  ggml_cgraph* graph = ggml_new_graph_custom(context.get(), graph_nodes(shape_), false);
  ggml_build_forward_expand(graph, forward.logits);
  if (!ggml_gallocr_alloc_graph(allocator_.get(), graph))
    throw Error("OUT_OF_MEMORY", "The activations do not fit into memory");
  upload(forward, inputs);
  run(graph, 0, ggml_graph_n_nodes(graph));
  std::vector<float> logits(inputs.outputs.size() * static_cast<size_t>(shape_.vocabulary));
  ggml_backend_tensor_get(forward.logits, logits.data(), 0, logits.size() * sizeof(float));
  return logits;
}

}  // namespace spct
