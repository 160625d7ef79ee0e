#include "train/score_head_fit.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>

#include "error.h"
#include "train/ggml_handles.h"
#include "train/gguf_output.h"
#include "train/losses.h"

namespace spct {
namespace {

// States scaled to mean 0 and deviation 1 in each dimension, so that one learning rate suits all of them.
struct Standardized {
  std::vector<double> mean;
  std::vector<double> deviation;

  Standardized(std::vector<float>& states, int64_t width) : mean(width, 0.0), deviation(width, 0.0) {
    const int64_t rows = static_cast<int64_t>(states.size()) / width;
    for (int64_t i = 0; i < rows * width; ++i) mean[i % width] += states[i] / static_cast<double>(rows);
    for (int64_t i = 0; i < rows * width; ++i) {
      const double distance = states[i] - mean[i % width];
      deviation[i % width] += distance * distance / static_cast<double>(rows);
    }
    for (double& value : deviation) value = std::sqrt(value) + 1e-6;
    for (int64_t i = 0; i < rows * width; ++i) {
      states[i] = static_cast<float>((states[i] - mean[i % width]) / deviation[i % width]);
    }
  }

  // The same head for states that are not scaled.
  ScoreHead unscaled(const std::vector<double>& weight, double bias) const {
    ScoreHead head;
    for (size_t i = 0; i < weight.size(); ++i) {
      head.weight.push_back(static_cast<float>(weight[i] / deviation[i]));
      bias -= weight[i] * mean[i] / deviation[i];
    }
    head.bias = static_cast<float>(bias);
    return head;
  }
};

class Adam {
 public:
  explicit Adam(size_t size) : first_(size, 0.0), second_(size, 0.0) {}

  void step(std::vector<double>& values, const std::vector<double>& gradients, double rate) {
    ++steps_;
    for (size_t i = 0; i < values.size(); ++i) {
      first_[i] = 0.9 * first_[i] + 0.1 * gradients[i];
      second_[i] = 0.999 * second_[i] + 0.001 * gradients[i] * gradients[i];
      const double mean = first_[i] / (1.0 - std::pow(0.9, steps_));
      const double square = second_[i] / (1.0 - std::pow(0.999, steps_));
      values[i] -= rate * mean / (std::sqrt(square) + 1e-8);
    }
  }

 private:
  std::vector<double> first_;
  std::vector<double> second_;
  int steps_ = 0;
};

}  // namespace

ScoreHeadFit fit_score_head(const std::vector<float>& states, const std::vector<float>& labels, int64_t width,
                            const ScoreHeadFitOptions& options) {
  if (width < 1 || labels.empty() || states.size() != labels.size() * static_cast<size_t>(width)) {
    throw Error("INVALID_ARGUMENT", "Expected one state of " + std::to_string(width) + " numbers for each label");
  }
  for (const float label : labels) {
    if (!(label >= 0 && label <= 1)) throw Error("INVALID_ARGUMENT", "Expected labels between 0 and 1");
  }
  std::vector<float> scaled = states;
  const Standardized scaling(scaled, width);
  const double rows = static_cast<double>(labels.size());
  std::vector<double> values(static_cast<size_t>(width) + 1, 0.0);  // weight, then bias
  Adam adam(values.size());
  double loss = 0;
  for (int iteration = 0; iteration < options.iterations; ++iteration) {
    loss = 0;
    std::vector<double> gradients(values.size(), 0.0);
    for (size_t row = 0; row < labels.size(); ++row) {
      const float* state = scaled.data() + row * static_cast<size_t>(width);
      double logit = values.back();
      for (int64_t i = 0; i < width; ++i) logit += values[i] * state[i];
      double slope = 0;
      loss += bce_loss_cpu(logit, labels[row], &slope) / rows;
      for (int64_t i = 0; i < width; ++i) gradients[i] += slope * state[i] / rows;
      gradients.back() += slope / rows;
    }
    for (int64_t i = 0; i < width; ++i) gradients[i] += options.weight_decay * values[i];
    const double rest = 1.0 - static_cast<double>(iteration) / options.iterations;
    adam.step(values, gradients, options.learning_rate * rest);
  }
  if (!std::isfinite(loss)) throw Error("LOSS_NOT_FINITE", "The loss of the head is not a finite number");
  const double bias = values.back();
  values.pop_back();
  return {scaling.unscaled(values, bias), loss};
}

int64_t state_width(const std::string& model_path) {
  if (!std::ifstream(model_path)) throw Error("MODEL_NOT_FOUND", "The file " + model_path + " cannot be opened");
  const GgufFile file(gguf_init_from_file(model_path.c_str(), {/*no_alloc=*/true, /*ctx=*/nullptr}));
  if (!file) throw Error("NOT_A_GGUF", "The file " + model_path + " is not a valid GGUF file");
  const int64_t architecture = gguf_find_key(file.get(), "general.architecture");
  if (architecture >= 0 && gguf_get_kv_type(file.get(), architecture) == GGUF_TYPE_STRING) {
    const std::string key = std::string(gguf_get_val_str(file.get(), architecture)) + ".embedding_length";
    const int64_t width = gguf_find_key(file.get(), key.c_str());
    if (width >= 0 && gguf_get_kv_type(file.get(), width) == GGUF_TYPE_UINT32) {
      return gguf_get_val_u32(file.get(), width);
    }
  }
  throw Error("UNSUPPORTED_MODEL", "Expected an embedding length in " + model_path + " but it has none");
}

void write_score_head(const std::string& path, const ScoreHead& head, const std::string& kind,
                      const std::string& backbone) {
  GgufFile file(gguf_init_empty());
  gguf_set_val_str(file.get(), "general.architecture", "spct-head");
  gguf_set_val_str(file.get(), "spct.head.kind", kind.c_str());
  gguf_set_val_str(file.get(), "spct.head.activation", "none");
  gguf_set_val_str(file.get(), "spct.head.pooling", "last");
  gguf_set_val_str(file.get(), "spct.head.backbone", backbone.c_str());
  const size_t bytes = (head.weight.size() + 1) * sizeof(float) + 2 * (ggml_tensor_overhead() + 64);
  GgmlContext context(ggml_init({bytes, nullptr, false}));
  const auto add = [&](const char* name, const float* values, size_t count) {
    ggml_tensor* tensor = ggml_new_tensor_1d(context.get(), GGML_TYPE_F32, static_cast<int64_t>(count));
    ggml_set_name(tensor, name);
    std::memcpy(tensor->data, values, count * sizeof(float));
    gguf_add_tensor(file.get(), tensor);
  };
  add("head.weight", head.weight.data(), head.weight.size());
  add("head.bias", &head.bias, 1);
  write_gguf(file.get(), path);
}

}  // namespace spct
