#include "train/gguf_output.h"

#include <filesystem>
#include <system_error>

#include "error.h"

namespace spct {

void write_gguf(const gguf_context* file, const std::string& path) {
  const std::string partial = path + ".part";
  std::error_code failure;
  if (!gguf_write_to_file(file, partial.c_str(), false)) {
    std::filesystem::remove(partial, failure);
    throw Error("WRITE_FAILED",
                "The file " + path + " could not be written; is the folder writable and the disk not full?");
  }
  std::filesystem::rename(partial, path, failure);
  if (failure) throw Error("WRITE_FAILED", "The file " + path + " could not be replaced: " + failure.message());
}

}  // namespace spct
