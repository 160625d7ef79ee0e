#pragma once

#include <napi.h>

#include <functional>
#include <map>

namespace spct {

// What one environment (the main thread or a worker) knows of this addon.
struct AddonData {
  Napi::FunctionReference engine;  // constructors
  Napi::FunctionReference vocabulary;
  Napi::FunctionReference trainer;

  // Joins the threads that still run when the process exits, by the object that owns each. exit() destroys llama.cpp's
  // static objects, and Node runs no cleanup hooks of the main thread before it.
  std::map<const void*, std::function<void()>> stop_at_exit;
};

}  // namespace spct
