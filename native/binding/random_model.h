#pragma once

#include <napi.h>

namespace spct {

// writeRandomModel({path, vocabularyPath, metadata, tensors, seed, threads}): a promise of nothing.
Napi::Value js_write_random_model(const Napi::CallbackInfo& info);

}  // namespace spct
