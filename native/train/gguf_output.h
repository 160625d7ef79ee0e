#pragma once

#include <gguf.h>

#include <string>

namespace spct {

// Writes a GGUF file that appears whole or not at all. Throws Error WRITE_FAILED.
void write_gguf(const gguf_context* file, const std::string& path);

}  // namespace spct
