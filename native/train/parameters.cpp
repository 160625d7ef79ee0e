#include "train/parameters.h"

#include <algorithm>
#include <cmath>
#include <random>

#include "error.h"
#include "train/training_device.h"

namespace spct {
namespace {

// Box-Muller on mt19937_64: std::normal_distribution may differ between standard libraries.
class Gaussian {
 public:
  explicit Gaussian(uint64_t seed) : engine_(seed) {}

  float operator()() {
    const double radius = std::sqrt(-2.0 * std::log(uniform()));
    return static_cast<float>(radius * std::cos(6.283185307179586 * uniform()));
  }

 private:
  double uniform() { return (static_cast<double>(engine_() >> 11) + 0.5) / 9007199254740992.0; }

  std::mt19937_64 engine_;
};

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

void check_groups(const std::vector<int32_t>& groups, int vocabulary) {
  if (!groups.empty() && groups.size() != static_cast<size_t>(vocabulary)) {
    throw Error("INVALID_ARGUMENT", "Expected a group for each of " + std::to_string(vocabulary) +
                                        " tokens but received " + std::to_string(groups.size()));
  }
  for (const int32_t group : groups) {
    if (group < 0 || group >= vocabulary) {
      throw Error("INVALID_ARGUMENT",
                  "Expected token groups below the vocabulary size but received " + std::to_string(group));
    }
  }
}

// Gives each token most of the embedding of the token that its group is named after.
void start_alike(std::vector<float>& embeddings, int64_t width, const std::vector<int32_t>& groups) {
  constexpr float own_share = 0.3f;
  const float group_share = std::sqrt(1.0f - own_share * own_share);
  const std::vector<float> own = embeddings;
  for (size_t token = 0; token < groups.size(); ++token) {
    const size_t group = static_cast<size_t>(groups[token]);
    if (group == token) continue;
    for (size_t i = 0; i < static_cast<size_t>(width); ++i) {
      embeddings[token * width + i] = group_share * own[group * width + i] + own_share * own[token * width + i];
    }
  }
}

}  // namespace

Parameters::Parameters(const ModelShape& shape, ggml_backend_t backend) : shape_(shape) {
  shape.check();
  const std::vector<ModelTensor> tensors = model_tensors(shape);
  context_.reset(ggml_init({3 * tensors.size() * ggml_tensor_overhead(), nullptr, true}));
  for (const ModelTensor& tensor : tensors) {
    if (tensor.kind == TensorKind::rope_factors) {
      add_frozen(tensor, GGML_TYPE_F32);
    } else {
      add_trained(tensor);
    }
  }
  allocate(backend);
}

Parameters::Parameters(const ModelShape& shape, ggml_backend_t backend, const LoraOptions& lora, ggml_context* base)
    : shape_(shape), lora_(lora) {
  shape.check();
  lora.check(shape);
  const std::vector<ModelTensor> tensors = model_tensors(shape);
  context_.reset(ggml_init({(1 + 2 * 3) * tensors.size() * ggml_tensor_overhead(), nullptr, true}));
  for (const ModelTensor& tensor : tensors) {
    const ggml_tensor* source = ggml_get_tensor(base, tensor.name.c_str());
    const bool keeps_type =
        source != nullptr && tensor.kind == TensorKind::matrix && passes_gradients(backend, source->type);
    add_frozen(tensor, keeps_type ? source->type : GGML_TYPE_F32);
    if (!lora.adapts(tensor)) continue;
    for (const ModelTensor& part : adapter_tensors(tensor, lora.rank)) add_trained(part);
  }
  allocate(backend);
}

void Parameters::allocate(ggml_backend_t backend) {
  buffer_.reset(ggml_backend_alloc_ctx_tensors(context_.get(), backend));
  if (!buffer_) throw Error("OUT_OF_MEMORY", "The weights and their optimizer state do not fit into memory");
  ggml_backend_buffer_clear(buffer_.get(), 0);
}

ggml_tensor* Parameters::create(const std::string& name, const ModelTensor& tensor, ggml_type type) {
  ggml_tensor* created = tensor.kind == TensorKind::matrix
                             ? ggml_new_tensor_2d(context_.get(), type, tensor.columns, tensor.rows)
                             : ggml_new_tensor_1d(context_.get(), type, tensor.columns);
  ggml_set_name(created, name.c_str());
  return created;
}

void Parameters::add_trained(const ModelTensor& tensor) {
  ggml_tensor* weight = create(tensor.name, tensor, GGML_TYPE_F32);
  ggml_set_param(weight);
  weights_[tensor.name] = weight;
  parameters_.push_back({tensor.name, weight, create("m." + tensor.name, tensor, GGML_TYPE_F32),
                         create("v." + tensor.name, tensor, GGML_TYPE_F32), tensor.kind == TensorKind::matrix});
}

void Parameters::add_frozen(const ModelTensor& tensor, ggml_type type) {
  ggml_tensor* weight = create(tensor.name, tensor, type);
  weights_[tensor.name] = weight;
  frozen_.push_back(weight);
}

void Parameters::initialize(uint64_t seed, const std::vector<int32_t>& token_groups) {
  check_groups(token_groups, shape_.vocabulary);
  Gaussian gaussian(seed);
  const auto fill = [](ggml_tensor* weight, const std::vector<float>& values) {
    ggml_backend_tensor_set(weight, values.data(), 0, values.size() * sizeof(float));
  };
  if (ggml_tensor* factors = weight("rope_freqs.weight"); factors != nullptr && !lora_) {
    fill(factors, std::vector<float>(ggml_nelements(factors), 1.0f));
  }
  for (const Parameter& parameter : parameters_) {
    const int64_t columns = parameter.weight->ne[0];
    std::vector<float> values(static_cast<size_t>(ggml_nelements(parameter.weight)),
                              ends_with(parameter.name, ".bias") ? 0.0f : 1.0f);
    if (parameter.is_matrix) {
      const bool into_residual =
          ends_with(parameter.name, "attn_output.weight") || ends_with(parameter.name, "ffn_down.weight");
      const float deviation = 1.0f / std::sqrt(static_cast<float>(columns)) /
                              (into_residual ? std::sqrt(2.0f * static_cast<float>(shape_.layers)) : 1.0f);
      for (float& value : values) value = deviation * gaussian();
      if (ends_with(parameter.name, ".lora_b")) std::fill(values.begin(), values.end(), 0.0f);
      if (parameter.name == "token_embd.weight") start_alike(values, columns, token_groups);
    }
    fill(parameter.weight, values);
  }
}

const Parameter& Parameters::named(const std::string& name) const {
  for (const Parameter& parameter : parameters_) {
    if (parameter.name == name) return parameter;
  }
  throw Error("UNSUPPORTED_MODEL", "Expected a weight named " + name + " but there is none");
}

ggml_tensor* Parameters::weight(const std::string& name) const {
  const auto found = weights_.find(name);
  return found == weights_.end() ? nullptr : found->second;
}

std::vector<WeightView> Parameters::views() const {
  if (lora_)
    throw Error("INVALID_ARGUMENT", "Expected a trainer of whole weights: merge its adapters into a file first");
  std::vector<WeightView> views;
  for (const Parameter& parameter : parameters_) {
    const ggml_tensor* weight = parameter.weight;
    const auto read = [weight](int64_t row, int64_t rows, float* values) {
      ggml_backend_tensor_get(weight, values, row * weight->nb[1], rows * weight->nb[1]);
    };
    views.push_back({parameter.name, weight->ne[0], weight->ne[1], read});
  }
  return views;
}

int64_t Parameters::count() const {
  int64_t total = 0;
  for (const Parameter& parameter : parameters_) total += ggml_nelements(parameter.weight);
  return total;
}

}  // namespace spct
