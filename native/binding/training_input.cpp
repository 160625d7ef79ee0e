#include "binding/training_input.h"

#include <algorithm>
#include <utility>

#include "binding/promise_worker.h"

namespace spct {
namespace {

template <class Element>
std::vector<Element> to_numbers(const Napi::Value& value, napi_typedarray_type type, const char* kind,
                                const char* name) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != type) {
    reject(value.Env(), std::string("Expected ") + kind + " for " + name);
  }
  const auto array = value.As<Napi::TypedArrayOf<Element>>();
  return {array.Data(), array.Data() + array.ElementLength()};
}

// The values of each sequence's completion tokens, cut from `values` from `begin` on.
template <class Element>
std::vector<Element> slice(const std::vector<Element>& values, size_t begin, int64_t count) {
  return {values.begin() + begin, values.begin() + begin + count};
}

int64_t count_field(const Napi::Object& object, const char* name, int64_t fallback) {
  const double count = number_field(object, name, static_cast<double>(fallback));
  if (!(count >= 0 && count <= 9007199254740991.0 && count == static_cast<double>(static_cast<int64_t>(count)))) {
    reject(object.Env(), std::string("Expected an integer of at least 0 for ") + name);
  }
  return static_cast<int64_t>(count);
}

}  // namespace

void reject(Napi::Env env, const std::string& message) { throw to_js_error(env, "INVALID_ARGUMENT", message); }

double number_field(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  if (!value.IsNumber()) reject(object.Env(), std::string("Expected a number for ") + name);
  return value.As<Napi::Number>().DoubleValue();
}

double number_field(const Napi::Object& object, const char* name, double fallback) {
  return object.Get(name).IsUndefined() ? fallback : number_field(object, name);
}

std::string text_field(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  if (!value.IsString()) reject(object.Env(), std::string("Expected a string for ") + name);
  return value.As<Napi::String>();
}

Napi::Object to_object(const Napi::Value& value, const char* name) {
  if (!value.IsObject()) reject(value.Env(), std::string("Expected an object for ") + name);
  return value.As<Napi::Object>();
}

std::string to_text(const Napi::Value& value, const char* name) {
  if (!value.IsString()) reject(value.Env(), std::string("Expected a string for ") + name);
  return value.As<Napi::String>();
}

std::vector<int32_t> to_integers(const Napi::Value& value, const char* name) {
  return to_numbers<int32_t>(value, napi_int32_array, "an Int32Array", name);
}

std::vector<float> to_floats(const Napi::Value& value, const char* name) {
  return to_numbers<float>(value, napi_float32_array, "a Float32Array", name);
}

std::vector<double> to_doubles(const Napi::Value& value, const char* name) {
  return to_numbers<double>(value, napi_float64_array, "a Float64Array", name);
}

LoraOptions lora_options(const Napi::Object& object) {
  LoraOptions lora;
  lora.rank = static_cast<int>(number_field(object, "rank"));
  lora.alpha = static_cast<float>(number_field(object, "alpha"));
  lora.seed = static_cast<uint64_t>(count_field(object, "seed", 0));
  if (!object.Get("adapter").IsUndefined()) lora.adapter = text_field(object, "adapter");
  const Napi::Value targets = object.Get("targets");
  if (targets.IsUndefined()) return lora;
  if (!targets.IsArray()) reject(object.Env(), "Expected an array of strings for lora.targets");
  const auto names = targets.As<Napi::Array>();
  for (uint32_t i = 0; i < names.Length(); ++i) lora.targets.push_back(to_text(names.Get(i), "lora.targets"));
  return lora;
}

TrainingDevice training_device(const Napi::Object& object) {
  if (object.Get("device").IsUndefined()) return TrainingDevice::cpu;
  const std::string name = text_field(object, "device");
  if (name == "cpu") return TrainingDevice::cpu;
  if (name == "gpu") return TrainingDevice::gpu;
  reject(object.Env(), "Expected cpu or gpu for device but received " + name);
}

TrainerOptions trainer_options(const Napi::Object& object) {
  TrainerOptions options;
  options.device = training_device(object);
  const auto real = [&](const char* name, float& value) {
    value = static_cast<float>(number_field(object, name, value));
  };
  options.threads = static_cast<int>(number_field(object, "threads", options.threads));
  options.micro_batch_tokens =
      static_cast<int64_t>(number_field(object, "microBatchTokens", static_cast<double>(options.micro_batch_tokens)));
  real("beta1", options.optimizer.beta1);
  real("beta2", options.optimizer.beta2);
  real("epsilon", options.optimizer.epsilon);
  real("weightDecay", options.optimizer.weight_decay);
  real("clipNorm", options.optimizer.clip_norm);
  const Napi::Value lora = object.Get("lora");
  if (!lora.IsUndefined()) options.lora = lora_options(to_object(lora, "lora"));
  return options;
}

ModelShape model_shape(const Napi::Object& object) {
  ModelShape shape;
  const auto count = [&](const char* name) { return static_cast<int>(number_field(object, name)); };
  shape.embedding = count("embedding");
  shape.layers = count("layers");
  shape.heads = count("heads");
  shape.kv_heads = count("kvHeads");
  shape.feed_forward = count("feedForward");
  shape.context = count("context");
  shape.rope_base = static_cast<float>(number_field(object, "ropeBase", shape.rope_base));
  shape.norm_epsilon = static_cast<float>(number_field(object, "normEpsilon", shape.norm_epsilon));
  return shape;
}

std::vector<Sequence> to_sequences(const Napi::Value& value) {
  const Napi::Object batch = to_object(value, "batch");
  const std::vector<int32_t> tokens = to_integers(batch.Get("tokens"), "batch.tokens");
  const std::vector<int32_t> lengths = to_integers(batch.Get("lengths"), "batch.lengths");
  const std::vector<int32_t> completions = to_integers(batch.Get("completions"), "batch.completions");
  if (lengths.size() != completions.size()) reject(value.Env(), "Expected one completion start for each sequence");
  std::vector<Sequence> sequences;
  auto begin = tokens.begin();
  for (size_t i = 0; i < lengths.size(); ++i) {
    if (lengths[i] < 0 || lengths[i] > tokens.end() - begin)
      reject(value.Env(), "Expected lengths that add up to the tokens");
    sequences.push_back({{begin, begin + lengths[i]}, completions[i]});
    begin += lengths[i];
  }
  if (begin != tokens.end()) reject(value.Env(), "Expected lengths that add up to the tokens");
  return sequences;
}

ggml_type matrix_type(const Napi::Value& value) {
  const std::string name = to_text(value, "type");
  if (name == "f32") return GGML_TYPE_F32;
  if (name == "f16") return GGML_TYPE_F16;
  if (name == "q8_0") return GGML_TYPE_Q8_0;
  reject(value.Env(), "Expected f32, f16 or q8_0 for type but received " + name);
}

std::vector<Rollout> to_rollouts(const Napi::Value& value, const std::vector<Sequence>& sequences) {
  const Napi::Object batch = to_object(value, "batch");
  size_t tokens = 0;
  for (const Sequence& sequence : sequences) tokens += std::max<int64_t>(0, sequence.completion_size());
  const auto check_count = [&](size_t count, const char* name) {
    if (count != tokens) reject(value.Env(), std::string("Expected one number for each completion token in ") + name);
  };
  const std::vector<double> advantages = to_doubles(batch.Get("advantages"), "batch.advantages");
  if (advantages.size() != sequences.size()) reject(value.Env(), "Expected one advantage for each sequence");
  const auto optional_floats = [&](const char* key, const char* name) {
    if (batch.Get(key).IsUndefined()) return std::vector<float>();
    std::vector<float> values = to_floats(batch.Get(key), name);
    check_count(values.size(), name);
    return values;
  };
  const std::vector<float> old = optional_floats("oldLogProbabilities", "batch.oldLogProbabilities");
  const std::vector<float> reference = optional_floats("referenceLogProbabilities", "batch.referenceLogProbabilities");
  std::vector<uint8_t> mask(tokens, 1);
  if (!batch.Get("mask").IsUndefined()) {
    mask = to_numbers<uint8_t>(batch.Get("mask"), napi_uint8_array, "a Uint8Array", "batch.mask");
    check_count(mask.size(), "batch.mask");
  }
  std::vector<Rollout> rollouts;
  size_t begin = 0;
  for (size_t i = 0; i < sequences.size(); ++i) {
    const int64_t count = std::max<int64_t>(0, sequences[i].completion_size());
    Rollout rollout;
    if (!old.empty()) rollout.old_log_probabilities = slice(old, begin, count);
    if (!reference.empty()) rollout.reference_log_probabilities = slice(reference, begin, count);
    rollout.mask = slice(mask, begin, count);
    rollout.advantage = advantages[i];
    rollouts.push_back(std::move(rollout));
    begin += static_cast<size_t>(count);
  }
  return rollouts;
}

RewardBatch to_reward_batch(const Napi::Value& value, const Napi::Value& given) {
  const Napi::Object options = to_object(given, "options");
  RewardBatch batch;
  batch.sequences = to_sequences(value);
  if (!options.Get("labels").IsUndefined()) batch.labels = to_floats(options.Get("labels"), "labels");
  if (!options.Get("positions").IsUndefined()) batch.positions = to_integers(options.Get("positions"), "positions");
  return batch;
}

RewardLoss reward_loss(const Napi::Value& options) {
  const std::string name = text_field(to_object(options, "options"), "loss");
  if (name == "bce") return RewardLoss::bce;
  if (name == "bradley_terry") return RewardLoss::bradley_terry;
  reject(options.Env(), "Expected bce or bradley_terry for loss but received " + name);
}

GrpoOptions grpo_options(const Napi::Value& value) {
  const Napi::Object object = to_object(value, "options");
  GrpoOptions options;
  options.beta = number_field(object, "beta", options.beta);
  options.epsilon_low = number_field(object, "epsilon", options.epsilon_low);
  options.epsilon_high = number_field(object, "epsilonHigh", options.epsilon_low);
  options.temperature = number_field(object, "temperature", options.temperature);
  options.max_completion_tokens = count_field(object, "maxCompletionTokens", options.max_completion_tokens);
  options.total_tokens = count_field(object, "totalTokens", options.total_tokens);
  if (object.Get("normalization").IsUndefined()) return options;
  const std::string name = text_field(object, "normalization");
  if (name == "grpo") {
    options.normalization = GrpoNormalization::grpo;
  } else if (name == "bnpo") {
    options.normalization = GrpoNormalization::bnpo;
  } else if (name == "dr_grpo") {
    options.normalization = GrpoNormalization::dr_grpo;
  } else if (name == "dapo") {
    options.normalization = GrpoNormalization::dapo;
  } else {
    reject(value.Env(), "Expected grpo, bnpo, dr_grpo or dapo for normalization but received " + name);
  }
  return options;
}

AdvantageScale advantage_scale(const Napi::Value& value) {
  const std::string name = to_text(value, "scale");
  if (name == "group") return AdvantageScale::group;
  if (name == "batch") return AdvantageScale::batch;
  if (name == "none") return AdvantageScale::none;
  reject(value.Env(), "Expected group, batch or none for scale but received " + name);
}

}  // namespace spct
