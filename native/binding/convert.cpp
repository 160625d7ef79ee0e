#include "binding/convert.h"

#include <algorithm>

namespace spct {

namespace {

std::string describe(const Napi::Value& value) {
  if (value.IsString()) return "'" + value.As<Napi::String>().Utf8Value() + "'";
  return value.ToString().Utf8Value();
}

[[noreturn]] void wrong(const Napi::Value& value, const std::string& expected, const std::string& name) {
  throw Napi::TypeError::New(value.Env(), "Expected " + expected + " for " + name + " but received " + describe(value));
}

double number(const Napi::Object& object, const char* key) {
  const Napi::Value value = object.Get(key);
  if (!value.IsNumber()) wrong(value, "a number", key);
  return value.As<Napi::Number>().DoubleValue();
}

int32_t integer(const Napi::Object& object, const char* key, int32_t fallback) {
  const Napi::Value value = object.Get(key);
  if (value.IsUndefined()) return fallback;
  if (!value.IsNumber()) wrong(value, "an integer", key);
  return value.As<Napi::Number>().Int32Value();
}

std::string text(const Napi::Object& object, const char* key) {
  const Napi::Value value = object.Get(key);
  if (!value.IsString()) wrong(value, "a string", key);
  return value.As<Napi::String>().Utf8Value();
}

std::string text(const Napi::Object& object, const char* key, const char* fallback) {
  return object.Get(key).IsUndefined() ? fallback : text(object, key);
}

Napi::Object object_at(const Napi::Array& array, uint32_t index, const char* name) {
  const Napi::Value value = array[index];
  if (!value.IsObject()) wrong(value, "an object", name);
  return value.As<Napi::Object>();
}

Napi::Array array(const Napi::Object& object, const char* key) {
  const Napi::Value value = object.Get(key);
  if (!value.IsArray()) wrong(value, "an array", key);
  return value.As<Napi::Array>();
}

template <class Choice>
Choice switch_at(const Napi::Object& object, const char* key, Choice automatic, Choice on, Choice off) {
  const std::string given = text(object, key, "auto");
  if (given == "auto") return automatic;
  if (given == "on") return on;
  if (given == "off") return off;
  wrong(object.Get(key), "'auto', 'on' or 'off'", key);
}

const char* name_of(FinishReason reason) {
  switch (reason) {
    case FinishReason::stop: return "stop";
    case FinishReason::eos: return "eos";
    case FinishReason::length: return "length";
    case FinishReason::cancelled: return "cancelled";
    case FinishReason::error: break;
  }
  return "error";
}

}  // namespace

ModelOptions to_model_options(const Napi::Object& options) {
  ModelOptions out;
  out.path = text(options, "modelPath");
  out.head_path = text(options, "headPath", "");
  out.context_tokens = integer(options, "contextTokens", out.context_tokens);
  out.batch_tokens = integer(options, "batchTokens", out.batch_tokens);
  out.max_sequences = integer(options, "maxSequences", out.max_sequences);
  out.prefix_cache_tokens = integer(options, "prefixCacheTokens", out.prefix_cache_tokens);
  out.threads = integer(options, "threads", out.threads);
  out.gpu_layers = integer(options, "gpuLayers", out.gpu_layers);
  out.updatable = options.Get("updatable").ToBoolean();
  out.flash_attention =
      switch_at(options, "flashAttention", FlashAttention::automatic, FlashAttention::on, FlashAttention::off);
  out.packing = switch_at(options, "packedWeights", Packing::automatic, Packing::on, Packing::off);
  const Napi::Value share = options.Get("sharedAttention");
  if (!share.IsUndefined()) out.share_attention = share.ToBoolean();
  const auto check_range = [&](const char* key, int32_t value, int32_t low, int32_t high) {
    if (value >= low && value <= high) return;
    wrong(options.Get(key), "an integer from " + std::to_string(low) + " to " + std::to_string(high), key);
  };
  check_range("maxSequences", out.max_sequences, 2, 256);
  check_range("batchTokens", out.batch_tokens, out.max_sequences, 1 << 16);
  check_range("contextTokens", out.context_tokens, 0, 1 << 28);
  check_range("prefixCacheTokens", out.prefix_cache_tokens, 0, 1 << 28);
  check_range("threads", out.threads, 0, 512);
  return out;
}

std::vector<int32_t> to_tokens(const Napi::Value& value, const char* name) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_int32_array) {
    wrong(value, "an Int32Array", name);
  }
  const auto tokens = value.As<Napi::Int32Array>();
  return {tokens.Data(), tokens.Data() + tokens.ElementLength()};
}

GroupRequest to_group_request(const Napi::Object& group) {
  GroupRequest out;
  const Napi::Array prompts = array(group, "prompts");
  for (uint32_t i = 0; i < prompts.Length(); ++i) out.prompts.push_back(to_tokens(prompts[i], "a prompt"));
  const Napi::Array samples = array(group, "samples");
  for (uint32_t i = 0; i < samples.Length(); ++i) {
    const Napi::Object sample = object_at(samples, i, "a sample");
    const Napi::Value continuation = sample.Get("continuation");
    out.samples.push_back(
        {integer(sample, "prompt", 0), static_cast<uint64_t>(number(sample, "seed")),
         continuation.IsUndefined() ? std::vector<int32_t>() : to_tokens(continuation, "continuation")});
  }
  out.sampling.temperature = static_cast<float>(number(group, "temperature"));
  out.sampling.top_k = integer(group, "topK", 0);
  out.sampling.top_p = static_cast<float>(number(group, "topP"));
  out.sampling.min_p = static_cast<float>(number(group, "minP"));
  const bool last = text(group, "order", "temperature-first") == "temperature-last";
  out.sampling.order = last ? ChainOrder::temperature_last : ChainOrder::temperature_first;
  out.max_tokens = integer(group, "maxTokens", 0);
  out.logprobs = group.Get("logprobs").ToBoolean();
  const Napi::Value stop = group.Get("stop");
  if (stop.IsObject()) {
    const auto rule = stop.As<Napi::Object>();
    out.stop = std::make_shared<StopPattern>(text(rule, "pattern"));
    const Napi::Value skip = rule.Get("skip");
    if (skip.IsObject()) out.skip = {text(skip.As<Napi::Object>(), "open"), text(skip.As<Napi::Object>(), "close")};
  }
  return out;
}

std::vector<TextPiece> to_text_pieces(const Napi::Value& value) {
  if (!value.IsArray()) throw Napi::TypeError::New(value.Env(), "Expected an array for pieces");
  const auto pieces = value.As<Napi::Array>();
  std::vector<TextPiece> out;
  for (uint32_t i = 0; i < pieces.Length(); ++i) {
    const Napi::Object piece = object_at(pieces, i, "a piece");
    out.push_back({text(piece, "text"), piece.Get("special").ToBoolean()});
  }
  return out;
}

Napi::Int32Array to_js(Napi::Env env, const std::vector<int32_t>& tokens) {
  Napi::Int32Array out = Napi::Int32Array::New(env, tokens.size());
  std::copy(tokens.begin(), tokens.end(), out.Data());
  return out;
}

Napi::Object to_js(Napi::Env env, const SampleResult& result) {
  Napi::Object out = Napi::Object::New(env);
  out.Set("sample", result.sample);
  out.Set("text", Napi::String::New(env, result.text));
  out.Set("tokens", to_js(env, result.tokens));
  if (!result.logprobs.empty()) {
    Napi::Float32Array logprobs = Napi::Float32Array::New(env, result.logprobs.size());
    std::copy(result.logprobs.begin(), result.logprobs.end(), logprobs.Data());
    out.Set("logprobs", logprobs);
  }
  out.Set("reason", name_of(result.reason));
  out.Set("meta", result.meta ? Napi::Number::New(env, *result.meta) : env.Null());
  out.Set("promptTokensComputed", static_cast<double>(result.prompt_tokens_computed));
  if (result.reason == FinishReason::error) {
    Napi::Object error = Napi::Object::New(env);
    error.Set("code", result.error_code);
    error.Set("message", result.error_message);
    out.Set("error", error);
  }
  return out;
}

Napi::Object to_js(Napi::Env env, const ModelInfo& info) {
  Napi::Object out = Napi::Object::New(env);
  out.Set("description", info.description);
  out.Set("architecture", info.architecture);
  out.Set("parameters", static_cast<double>(info.parameters));
  out.Set("sizeBytes", static_cast<double>(info.size_bytes));
  out.Set("embedding", info.embedding);
  out.Set("vocabulary", info.vocabulary);
  out.Set("contextTokens", info.context_tokens);
  out.Set("cacheTokens", info.cache_tokens);
  out.Set("trainedContext", info.trained_context);
  out.Set("threads", info.threads);
  out.Set("backend", info.backend);
  Napi::Object packed = Napi::Object::New(env);
  packed.Set("gemm", info.gemm);
  packed.Set("matrices", info.packed_matrices);
  packed.Set("bytes", static_cast<double>(info.packed_bytes));
  packed.Set("leastRows", info.packed_least_rows);
  out.Set("packedWeights", packed);
  if (!info.shared_attention.empty()) out.Set("sharedAttention", info.shared_attention);
  out.Set("kv", "unified");
  out.Set("chatTemplate", info.has_chat_template ? Napi::String::New(env, info.chat_template) : env.Null());
  out.Set("bosToken", info.bos_token);
  out.Set("eosToken", info.eos_token);
  out.Set("hasHead", !info.head_kind.empty());
  if (!info.head_kind.empty()) out.Set("headKind", info.head_kind);
  return out;
}

Napi::Object to_js(Napi::Env env, const EngineStats& engine) {
  const SchedulerStats& stats = engine.scheduler;
  Napi::Object out = Napi::Object::New(env);
  out.Set("promptTokens", static_cast<double>(stats.prompt_tokens));
  out.Set("promptTokensComputed", static_cast<double>(stats.prompt_tokens_computed));
  out.Set("generatedTokens", static_cast<double>(stats.generated_tokens));
  out.Set("steps", static_cast<double>(stats.steps));
  out.Set("preemptions", static_cast<double>(stats.preemptions));
  out.Set("activeSamples", stats.active_samples);
  out.Set("waitingSamples", stats.waiting_samples);
  out.Set("cellsReserved", static_cast<double>(stats.cells_reserved));
  out.Set("sinceFirstDecode", engine.since_first_decode);
  out.Set("sinceLastDecode", engine.since_last_decode);
  return out;
}

Napi::Object to_js(Napi::Env env, const SystemInfo& info) {
  Napi::Object out = Napi::Object::New(env);
  Napi::Array devices = Napi::Array::New(env);
  for (const Device& device : info.devices) {
    Napi::Object entry = Napi::Object::New(env);
    entry.Set("name", device.name);
    entry.Set("description", device.description);
    entry.Set("type", device.type);
    entry.Set("memoryFree", static_cast<double>(device.memory_free));
    entry.Set("memoryTotal", static_cast<double>(device.memory_total));
    devices[devices.Length()] = entry;
  }
  out.Set("devices", devices);
  out.Set("instructionSets", info.instruction_sets);
  Napi::Object gemm = Napi::Object::New(env);
  gemm.Set("available", info.gemm.available);
  gemm.Set("description", info.gemm.description);
  out.Set("gemm", gemm);
  out.Set("llamaCommit", info.llama_commit);
  out.Set("cuda", info.cuda);
  return out;
}

}  // namespace spct
