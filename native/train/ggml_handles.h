#pragma once

#include <ggml-alloc.h>
#include <ggml-backend.h>
#include <ggml.h>
#include <gguf.h>

#include <memory>

namespace spct {

template <auto release>
struct GgmlDeleter {
  template <typename T>
  void operator()(T* handle) const {
    release(handle);
  }
};

using GgmlContext = std::unique_ptr<ggml_context, GgmlDeleter<ggml_free>>;
using GgmlBackend = std::unique_ptr<ggml_backend, GgmlDeleter<ggml_backend_free>>;
using GgmlBuffer = std::unique_ptr<ggml_backend_buffer, GgmlDeleter<ggml_backend_buffer_free>>;
using GgmlAllocator = std::unique_ptr<ggml_gallocr, GgmlDeleter<ggml_gallocr_free>>;
using GgufFile = std::unique_ptr<gguf_context, GgmlDeleter<gguf_free>>;

}  // namespace spct
