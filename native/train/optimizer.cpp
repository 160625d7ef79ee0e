#include "train/optimizer.h"

#include <cmath>

#include "error.h"
#include "train/training_device.h"

namespace spct {
namespace {

// A graph of its own small memory; leaves that it creates live in a buffer beside it.
class UpdateGraph {
 public:
  UpdateGraph(ggml_backend_t backend, size_t nodes) : backend_(backend), memory_(context_size(nodes)) {
    context_.reset(ggml_init({memory_.size(), memory_.data(), true}));
    graph_ = ggml_new_graph_custom(context_.get(), nodes, false);
    allocator_.reset(ggml_gallocr_new(ggml_backend_get_default_buffer_type(backend)));
  }

  ggml_context* context() const { return context_.get(); }
  void add(ggml_tensor* tensor) { ggml_build_forward_expand(graph_, tensor); }

  void allocate() {
    check_operations(backend_, graph_);
    if (!ggml_gallocr_alloc_graph(allocator_.get(), graph_))
      throw Error("OUT_OF_MEMORY", "The optimizer step does not fit into memory");
  }

  void compute() {
    if (ggml_backend_graph_compute(backend_, graph_) != GGML_STATUS_SUCCESS) {
      throw Error("TRAINING_FAILED", "The optimizer step could not be computed");
    }
  }

 private:
  static size_t context_size(size_t nodes) {
    return 2 * nodes * ggml_tensor_overhead() + ggml_graph_overhead_custom(nodes, false);
  }

  ggml_backend_t backend_;
  std::vector<uint8_t> memory_;
  GgmlContext context_;
  ggml_cgraph* graph_ = nullptr;
  GgmlAllocator allocator_;
};

// Sums the workers' gradients into the first worker's and returns the squared norm of the sum.
double sum_gradients(const std::vector<GradientWorker*>& workers, size_t parameters) {
  UpdateGraph graph(workers[0]->backend(), parameters * (workers.size() + 4) + 16);
  std::vector<ggml_tensor*> squares;
  for (size_t i = 0; i < parameters; ++i) {
    ggml_tensor* sum = workers[0]->gradients()[i];
    for (size_t worker = 1; worker < workers.size(); ++worker) {
      sum = ggml_add_inplace(graph.context(), sum, workers[worker]->gradients()[i]);
    }
    ggml_tensor* square = ggml_sum(graph.context(), ggml_sqr(graph.context(), sum));
    ggml_set_output(square);
    graph.add(square);
    squares.push_back(square);
  }
  graph.allocate();
  graph.compute();
  double total = 0;
  for (const ggml_tensor* square : squares) {
    float value = 0;
    ggml_backend_tensor_get(square, &value, 0, sizeof(value));
    total += value;
  }
  return total;
}

}  // namespace

double clip_factor(const AdamWOptions& options, double norm) {
  return options.clip_norm > 0 && norm > options.clip_norm ? options.clip_norm / norm : 1.0;
}

double adamw_step(const Parameters& parameters, const std::vector<GradientWorker*>& workers,
                  const AdamWOptions& options, int64_t step, float learning_rate, double other_squares) {
  const size_t count = parameters.all().size();
  const double norm = std::sqrt(sum_gradients(workers, count) + other_squares);
  if (!std::isfinite(norm)) {
    for (GradientWorker* worker : workers) worker->clear_gradients();
    throw Error("LOSS_NOT_FINITE", "The gradient is not finite; lower the learning rate");
  }
  const float factor = static_cast<float>(clip_factor(options, norm));

  UpdateGraph graph(workers[0]->backend(), count * 4 + 16);
  const auto input = [&] {
    ggml_tensor* tensor = ggml_new_tensor_1d(graph.context(), GGML_TYPE_F32, 7);
    ggml_set_input(tensor);
    graph.add(tensor);  // even if no parameter needs it
    return tensor;
  };
  ggml_tensor* decayed = input();
  ggml_tensor* undecayed = input();
  for (size_t i = 0; i < count; ++i) {
    const Parameter& parameter = parameters.all()[i];
    ggml_tensor* gradient = ggml_scale_inplace(graph.context(), workers[0]->gradients()[i], factor);
    graph.add(ggml_opt_step_adamw(graph.context(), parameter.weight, gradient, parameter.first_moment,
                                  parameter.second_moment, parameter.is_matrix ? decayed : undecayed));
  }
  graph.allocate();
  float values[7] = {learning_rate,
                     options.beta1,
                     options.beta2,
                     options.epsilon,
                     options.weight_decay,
                     static_cast<float>(1.0 / (1.0 - std::pow(double{options.beta1}, static_cast<double>(step)))),
                     static_cast<float>(1.0 / (1.0 - std::pow(double{options.beta2}, static_cast<double>(step))))};
  ggml_backend_tensor_set(decayed, values, 0, sizeof(values));
  values[4] = 0;
  ggml_backend_tensor_set(undecayed, values, 0, sizeof(values));
  graph.compute();
  for (GradientWorker* worker : workers) worker->clear_gradients();
  return norm;
}

}  // namespace spct
