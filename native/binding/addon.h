#pragma once

#include <napi.h>

namespace spct {

// What one environment (the main thread or a worker) knows of this addon.
struct AddonData {
  Napi::FunctionReference engine;      // constructors
  Napi::FunctionReference vocabulary;
};

}  // namespace spct
