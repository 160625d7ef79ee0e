#include "train/model_shape.h"

#include <gguf.h>

#include "error.h"

namespace spct {
namespace {

void expect(bool held, const std::string& message) {
  if (!held) throw Error("UNSUPPORTED_MODEL", message);
}

int64_t require_key(const gguf_context* file, const std::string& key, gguf_type type) {
  const int64_t id = gguf_find_key(file, key.c_str());
  expect(id >= 0, "Expected the GGUF metadata " + key + " but it is missing");
  expect(gguf_get_kv_type(file, id) == type, "Expected the GGUF metadata " + key + " as " + gguf_type_name(type) +
                                                 " but received " + gguf_type_name(gguf_get_kv_type(file, id)));
  return id;
}

int read_count(const gguf_context* file, const std::string& key) {
  return static_cast<int>(gguf_get_val_u32(file, require_key(file, key, GGUF_TYPE_UINT32)));
}

}  // namespace

void ModelShape::check() const {
  expect(architecture == "llama", "Expected an architecture that can be trained (llama) but received " + architecture);
  expect(vocabulary > 0 && embedding > 0 && layers > 0 && heads > 0 && kv_heads > 0 && feed_forward > 0 && context > 0,
         "Expected every size of the model to be positive");
  expect(embedding % heads == 0, "Expected the embedding size to be a multiple of the number of heads");
  expect(heads % kv_heads == 0, "Expected the number of heads to be a multiple of the number of key/value heads");
  expect(head_size() % 2 == 0, "Expected an even head size");
  expect(norm_epsilon > 0 && rope_base > 0, "Expected a positive norm epsilon and rope base");
}

ModelShape read_shape(const gguf_context* file) {
  ModelShape shape;
  shape.architecture = gguf_get_val_str(file, require_key(file, "general.architecture", GGUF_TYPE_STRING));
  const std::string prefix = shape.architecture + ".";
  const int64_t tokens = gguf_find_key(file, "tokenizer.ggml.tokens");
  expect(tokens >= 0, "Expected the GGUF metadata tokenizer.ggml.tokens but it is missing");
  shape.vocabulary = static_cast<int>(gguf_get_arr_n(file, tokens));
  shape.embedding = read_count(file, prefix + "embedding_length");
  shape.layers = read_count(file, prefix + "block_count");
  shape.heads = read_count(file, prefix + "attention.head_count");
  const bool grouped = gguf_find_key(file, (prefix + "attention.head_count_kv").c_str()) >= 0;
  shape.kv_heads = grouped ? read_count(file, prefix + "attention.head_count_kv") : shape.heads;
  shape.feed_forward = read_count(file, prefix + "feed_forward_length");
  shape.context = read_count(file, prefix + "context_length");
  shape.norm_epsilon =
      gguf_get_val_f32(file, require_key(file, prefix + "attention.layer_norm_rms_epsilon", GGUF_TYPE_FLOAT32));
  const int64_t base = gguf_find_key(file, (prefix + "rope.freq_base").c_str());
  if (base >= 0) shape.rope_base = gguf_get_val_f32(file, base);
  shape.tied_output = gguf_find_tensor(file, "output.weight") < 0;
  shape.check();
  return shape;
}

void write_shape(const ModelShape& shape, gguf_context* file) {
  const std::string prefix = shape.architecture + ".";
  const auto set = [&](const char* key, int value) {
    gguf_set_val_u32(file, (prefix + key).c_str(), static_cast<uint32_t>(value));
  };
  gguf_set_val_str(file, "general.architecture", shape.architecture.c_str());
  set("vocab_size", shape.vocabulary);
  set("embedding_length", shape.embedding);
  set("block_count", shape.layers);
  set("attention.head_count", shape.heads);
  set("attention.head_count_kv", shape.kv_heads);
  set("feed_forward_length", shape.feed_forward);
  set("context_length", shape.context);
  set("rope.dimension_count", shape.head_size());
  gguf_set_val_f32(file, (prefix + "attention.layer_norm_rms_epsilon").c_str(), shape.norm_epsilon);
  gguf_set_val_f32(file, (prefix + "rope.freq_base").c_str(), shape.rope_base);
}

}  // namespace spct
