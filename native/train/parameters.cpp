#include "train/parameters.h"

#include <cmath>
#include <random>

#include "error.h"

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

std::string layer_tensor(int layer, const char* part) {
  return "blk." + std::to_string(layer) + "." + part + ".weight";
}

Parameters::Parameters(const ModelShape& shape, ggml_backend_t backend) : shape_(shape) {
  shape.check();
  const size_t tensors = 3 * (3 + 9 * static_cast<size_t>(shape.layers));
  context_.reset(ggml_init({tensors * ggml_tensor_overhead(), nullptr, true}));
  const int64_t kv_size = int64_t{shape.head_size()} * shape.kv_heads;
  add("token_embd.weight", shape.embedding, shape.vocabulary);
  for (int layer = 0; layer < shape.layers; ++layer) {
    add(layer_tensor(layer, "attn_norm"), shape.embedding, 1);
    add(layer_tensor(layer, "attn_q"), shape.embedding, shape.embedding);
    add(layer_tensor(layer, "attn_k"), shape.embedding, kv_size);
    add(layer_tensor(layer, "attn_v"), shape.embedding, kv_size);
    add(layer_tensor(layer, "attn_output"), shape.embedding, shape.embedding);
    add(layer_tensor(layer, "ffn_norm"), shape.embedding, 1);
    add(layer_tensor(layer, "ffn_gate"), shape.embedding, shape.feed_forward);
    add(layer_tensor(layer, "ffn_up"), shape.embedding, shape.feed_forward);
    add(layer_tensor(layer, "ffn_down"), shape.feed_forward, shape.embedding);
  }
  add("output_norm.weight", shape.embedding, 1);
  if (!shape.tied_output) add("output.weight", shape.embedding, shape.vocabulary);
  buffer_.reset(ggml_backend_alloc_ctx_tensors(context_.get(), backend));
  if (!buffer_) throw Error("OUT_OF_MEMORY", "The weights and their optimizer state do not fit into memory");
  ggml_backend_buffer_clear(buffer_.get(), 0);
}

void Parameters::add(const std::string& name, int64_t columns, int64_t rows) {
  Parameter parameter;
  parameter.name = name;
  parameter.is_matrix = rows > 1;
  const auto create = [&](const std::string& full_name) {
    ggml_tensor* tensor = parameter.is_matrix ? ggml_new_tensor_2d(context_.get(), GGML_TYPE_F32, columns, rows)
                                              : ggml_new_tensor_1d(context_.get(), GGML_TYPE_F32, columns);
    ggml_set_name(tensor, full_name.c_str());
    return tensor;
  };
  parameter.weight = create(name);
  parameter.first_moment = create("m." + name);
  parameter.second_moment = create("v." + name);
  ggml_set_param(parameter.weight);
  parameters_.push_back(parameter);
}

void Parameters::initialize(uint64_t seed, const std::vector<int32_t>& token_groups) {
  check_groups(token_groups, shape_.vocabulary);
  Gaussian gaussian(seed);
  for (const Parameter& parameter : parameters_) {
    const int64_t columns = parameter.weight->ne[0];
    std::vector<float> values(static_cast<size_t>(ggml_nelements(parameter.weight)), 1.0f);
    if (parameter.is_matrix) {
      const bool into_residual =
          ends_with(parameter.name, "attn_output.weight") || ends_with(parameter.name, "ffn_down.weight");
      const float deviation = 1.0f / std::sqrt(static_cast<float>(columns)) /
                              (into_residual ? std::sqrt(2.0f * static_cast<float>(shape_.layers)) : 1.0f);
      for (float& value : values) value = deviation * gaussian();
      if (parameter.name == "token_embd.weight") start_alike(values, columns, token_groups);
    }
    ggml_backend_tensor_set(parameter.weight, values.data(), 0, values.size() * sizeof(float));
  }
}

const Parameter& Parameters::named(const std::string& name) const {
  for (const Parameter& parameter : parameters_) {
    if (parameter.name == name) return parameter;
  }
  throw Error("UNSUPPORTED_MODEL", "Expected a weight named " + name + " but there is none");
}

int64_t Parameters::count() const {
  int64_t total = 0;
  for (const Parameter& parameter : parameters_) total += ggml_nelements(parameter.weight);
  return total;
}

}  // namespace spct
