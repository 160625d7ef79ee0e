#pragma once

#include <gguf.h>

#include <functional>
#include <string>
#include <vector>

namespace spct {

// Writes a GGUF file that appears whole or not at all: a failure leaves what was there before. Throws Error
// WRITE_FAILED.
void write_gguf(const gguf_context* file, const std::string& path);

// The same for tensors whose data is made one at a time: `data(i)` gives the bytes of the file's tensor `i`.
void write_gguf(const gguf_context* file, const std::string& path,
                const std::function<std::vector<char>(int64_t)>& data);

}  // namespace spct
