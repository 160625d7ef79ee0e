#include "train/model_shape.h"

#include <gguf.h>

#include <cmath>

#include "error.h"
#include "train/architecture.h"

namespace spct {
namespace {

void expect(bool held, const std::string& message) {
  if (!held) throw Error("UNSUPPORTED_MODEL", message);
}

// The metadata of one architecture, whose keys begin with its name.
class ShapeReader {
 public:
  ShapeReader(const gguf_context* file, const std::string& architecture) : file_(file), prefix_(architecture + ".") {}

  int count(const char* key) const {
    return static_cast<int>(gguf_get_val_u32(file_, require(prefix_ + key, GGUF_TYPE_UINT32)));
  }
  int count(const char* key, int fallback) const { return has(key) ? count(key) : fallback; }
  float real(const char* key) const { return gguf_get_val_f32(file_, require(prefix_ + key, GGUF_TYPE_FLOAT32)); }
  float real(const char* key, float fallback) const { return has(key) ? real(key) : fallback; }
  std::string text(const char* key, const char* fallback) const {
    return has(key) ? gguf_get_val_str(file_, require(prefix_ + key, GGUF_TYPE_STRING)) : fallback;
  }

  template <class Value>
  void expect_value(const char* key, Value found, Value expected) const {
    expect(found == expected, "Expected the GGUF metadata " + prefix_ + key + " to be " + std::to_string(expected) +
                                  " but received " + std::to_string(found));
  }

 private:
  bool has(const char* key) const { return gguf_find_key(file_, (prefix_ + key).c_str()) >= 0; }

  int64_t require(const std::string& key, gguf_type type) const {
    const int64_t id = gguf_find_key(file_, key.c_str());
    expect(id >= 0, "Expected the GGUF metadata " + key + " but it is missing");
    expect(gguf_get_kv_type(file_, id) == type, "Expected the GGUF metadata " + key + " as " + gguf_type_name(type) +
                                                    " but received " + gguf_type_name(gguf_get_kv_type(file_, id)));
    return id;
  }

  const gguf_context* file_;
  std::string prefix_;
};

float read_rope_scaling(const ShapeReader& reader) {
  reader.expect_value("rope.scaling.attn_factor", reader.real("rope.scaling.attn_factor", 1.0f), 1.0f);
  const std::string type = reader.text("rope.scaling.type", "linear");
  if (type == "none") return 1.0f;
  expect(type == "linear", "Expected a rope scaling that can be trained (none, linear) but received " + type);
  const float factor = reader.real("rope.scaling.factor", reader.real("rope.scale_linear", 0.0f));
  return factor == 0.0f ? 1.0f : factor;
}

std::string read_architecture(const gguf_context* file) {
  const int64_t kind = gguf_find_key(file, "general.type");
  expect(kind < 0 || gguf_get_kv_type(file, kind) != GGUF_TYPE_STRING ||
             std::string(gguf_get_val_str(file, kind)) != "adapter",
         "Expected a model but received an adapter");
  const int64_t id = gguf_find_key(file, "general.architecture");
  expect(id >= 0 && gguf_get_kv_type(file, id) == GGUF_TYPE_STRING,
         "Expected the GGUF metadata general.architecture but it is missing");
  return gguf_get_val_str(file, id);
}

bool has_tensor(const gguf_context* file, const char* name) { return gguf_find_tensor(file, name) >= 0; }

}  // namespace

float ModelShape::attention_scale() const {
  // Gemma 2 of 27B, which llama.cpp tells by its layers, divides by the width for each head instead of the head's size.
  const bool by_width = find_architecture(architecture).gemma && layers == 46;
  return 1.0f / std::sqrt(static_cast<float>(by_width ? embedding / heads : head_size()));
}

void ModelShape::check() const {
  find_architecture(architecture);
  expect(vocabulary > 0 && embedding > 0 && layers > 0 && heads > 0 && kv_heads > 0 && feed_forward > 0 && context > 0,
         "Expected every size of the model to be positive");
  expect(key_length > 0 || embedding % heads == 0,
         "Expected the embedding size to be a multiple of the number of heads");
  expect(heads % kv_heads == 0, "Expected the number of heads to be a multiple of the number of key/value heads");
  expect(head_size() % 2 == 0, "Expected an even head size");
  expect(norm_epsilon > 0 && rope_base > 0 && rope_scaling > 0,
         "Expected a positive norm epsilon, rope base and scaling");
  const bool gemma = find_architecture(architecture).gemma;
  expect((attention_softcap > 0) == gemma && (final_softcap > 0) == gemma && (window > 0) == gemma,
         "Expected positive soft caps and a window for gemma2, and none for others");
}

ModelShape read_shape(const gguf_context* file) {
  ModelShape shape;
  shape.architecture = read_architecture(file);
  const Architecture& family = find_architecture(shape.architecture);
  const ShapeReader reader(file, shape.architecture);
  const int64_t tokens = gguf_find_key(file, "tokenizer.ggml.tokens");
  expect(tokens >= 0, "Expected the GGUF metadata tokenizer.ggml.tokens but it is missing");
  reader.expect_value("expert_count", reader.count("expert_count", 0), 0);
  shape.vocabulary = static_cast<int>(gguf_get_arr_n(file, tokens));
  shape.embedding = reader.count("embedding_length");
  shape.layers = reader.count("block_count");
  shape.heads = reader.count("attention.head_count");
  shape.kv_heads = reader.count("attention.head_count_kv", shape.heads);
  shape.key_length = reader.count("attention.key_length", 0);
  shape.feed_forward = reader.count("feed_forward_length");
  shape.context = reader.count("context_length");
  shape.norm_epsilon = reader.real("attention.layer_norm_rms_epsilon");
  shape.rope_base = reader.real("rope.freq_base", shape.rope_base);
  shape.rope_scaling = read_rope_scaling(reader);
  shape.rope_factors = family.rope_factors && has_tensor(file, "rope_freqs.weight");
  shape.projection_biases = has_tensor(file, "blk.0.attn_q.bias");
  shape.tied_output = !has_tensor(file, "output.weight");
  if (family.gemma) {
    shape.attention_softcap = reader.real("attn_logit_softcapping", 50.0f);
    shape.final_softcap = reader.real("final_logit_softcapping", 30.0f);
    shape.window = reader.count("attention.sliding_window", 4096);
    reader.expect_value("attention.sliding_window_pattern", reader.count("attention.sliding_window_pattern", 2), 2);
    reader.expect_value("rope.freq_base_swa", reader.real("rope.freq_base_swa", shape.rope_base), shape.rope_base);
  }
  shape.check();
  reader.expect_value("attention.value_length", reader.count("attention.value_length", shape.head_size()),
                      shape.head_size());
  reader.expect_value("rope.dimension_count", reader.count("rope.dimension_count", shape.head_size()),
                      shape.head_size());
  return shape;
}

void write_shape(const ModelShape& shape, gguf_context* file) {
  const std::string prefix = shape.architecture + ".";
  const auto set = [&](const char* key, int value) {
    gguf_set_val_u32(file, (prefix + key).c_str(), static_cast<uint32_t>(value));
  };
  const auto set_real = [&](const char* key, float value) { gguf_set_val_f32(file, (prefix + key).c_str(), value); };
  gguf_set_val_str(file, "general.architecture", shape.architecture.c_str());
  set("vocab_size", shape.vocabulary);
  set("embedding_length", shape.embedding);
  set("block_count", shape.layers);
  set("attention.head_count", shape.heads);
  set("attention.head_count_kv", shape.kv_heads);
  set("feed_forward_length", shape.feed_forward);
  set("context_length", shape.context);
  set("rope.dimension_count", shape.head_size());
  set_real("attention.layer_norm_rms_epsilon", shape.norm_epsilon);
  set_real("rope.freq_base", shape.rope_base);
  if (shape.rope_scaling != 1.0f) {
    gguf_set_val_str(file, (prefix + "rope.scaling.type").c_str(), "linear");
    set_real("rope.scaling.factor", shape.rope_scaling);
  }
  if (shape.key_length > 0) {
    set("attention.key_length", shape.key_length);
    set("attention.value_length", shape.key_length);
  }
  if (find_architecture(shape.architecture).gemma) {
    set_real("attn_logit_softcapping", shape.attention_softcap);
    set_real("final_logit_softcapping", shape.final_softcap);
    set("attention.sliding_window", shape.window);
  }
}

}  // namespace spct
