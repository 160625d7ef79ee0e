#pragma once

#include <napi.h>

#include <string>
#include <vector>

#include "engine/engine.h"
#include "engine/request.h"
#include "model/llama_model.h"

namespace spct {

// JavaScript values to plain structs. TypeScript has checked and defaulted the values; a wrong type here is a
// TypeError.
ModelOptions to_model_options(const Napi::Object& options);
GroupRequest to_group_request(const Napi::Object& group);
std::vector<TextPiece> to_text_pieces(const Napi::Value& value);
std::vector<int32_t> to_tokens(const Napi::Value& value, const char* name);

// And back.
Napi::Int32Array to_js(Napi::Env env, const std::vector<int32_t>& tokens);
Napi::Object to_js(Napi::Env env, const SampleResult& result);
Napi::Object to_js(Napi::Env env, const ModelInfo& info);
Napi::Object to_js(Napi::Env env, const EngineStats& engine);
Napi::Object to_js(Napi::Env env, const SystemInfo& info);

}  // namespace spct
